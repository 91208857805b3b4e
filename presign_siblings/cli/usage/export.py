"""``export``: a manifest in another form."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import FILE, aws_options, empty_option
from presign_siblings.errors import WrongUseError

STDOUT = "-"
FORMS = ("urls", "aria2", "curl", "metalink", "csv", "html", "script")


@click.command(
    epilog=examples(
        "export manifest.jsonl > urls.txt",
        "export manifest.jsonl --as aria2 --output files.aria2 && aria2c --input-file files.aria2",
        "export s3://reports/manifests/3f2a-77c0.jsonl --as html --title 'Reports of April' --contact ann@example.com"
        " --output index.html",
        "export manifest.jsonl --as curl --output files.curl && curl --config files.curl",
        "export manifest.jsonl --as metalink --output files.meta4"
        " && aria2c --continue --follow-torrent=false --follow-metalink=false --metalink-file files.meta4",
        "export manifest.jsonl --as csv --output links.csv",
        "export manifest.jsonl --as script --output download.py",
    )
)
@click.argument("manifest_place", type=FILE, metavar="MANIFEST")
@click.option("--as", "form", type=click.Choice(FORMS), default="urls", show_default=True, help="The form.")
@click.option("--output", type=FILE, default=STDOUT, show_default="standard output", metavar="FILE", help="A new file.")
@click.option("--title", metavar="TEXT", help="Title of the HTML page: what the files are.")
@click.option("--contact", metavar="TEXT", help="Contact on the HTML page: whom the recipient asks for new links.")
@empty_option
@click.option("--dry-run", is_flag=True, help="Only say how many URLs would be written; write nothing.")
@aws_options
def export(form: str, title: str | None, contact: str | None, **_: Any) -> None:
    """
    Write a manifest as a list of URLs, as input of aria2, curl or a download manager (Metalink), as CSV, as an HTML
    page of links, or as a script that downloads the files and needs nothing but Python.

    Prefer aria2 to a plain list of URLs: it gets the file names that `download` gives, and continues where it stopped.
    Without the options of the example for Metalink, aria2 fetches every file once more at a second call, and also what
    a torrent among the files names. curl names the files that did not come from its version 7.75 on; an older one says
    with each file that it does not know how.

    The output holds live URLs: a file is readable by its owner alone. A manifest without a key ends with 3.
    """
    if form != "html" and not (title is None and contact is None):
        raise WrongUseError("--title and --contact need --as html")
