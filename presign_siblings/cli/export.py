"""``export``: a manifest in another form."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from presign_siblings.cli.console import Terminal, aws_options, printable
from presign_siblings.cli.program import examples
from presign_siblings.cli.verify import reading
from presign_siblings.errors import WrongUseError
from presign_siblings.laptop.file_sink import PRIVATE
from presign_siblings.manifests import reader
from presign_siblings.manifests.export import FORMS, BaseNames
from presign_siblings.manifests.location import place
from presign_siblings.manifests.page import TITLE, page

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = "-"


@click.command(
    epilog=examples(
        "export manifest.jsonl > urls.txt",
        "export manifest.jsonl --as aria2 --output files.aria2 && aria2c --input-file files.aria2",
        "export s3://reports/manifests/3f2a-77c0.jsonl --as html --title 'Reports of April' --contact ann@example.com"
        " --output index.html",
        "export manifest.jsonl --as curl --output files.curl && curl --config files.curl",
        "export manifest.jsonl --as metalink --output files.meta4 && aria2c files.meta4",
        "export manifest.jsonl --as csv --output links.csv",
        "export manifest.jsonl --as script --output download.py",
    )
)
@click.argument("manifest_place", metavar="MANIFEST")
@click.option("--as", "form", type=click.Choice(tuple(FORMS)), default="urls", show_default=True, help="The form.")
@click.option("--output", default=STDOUT, show_default="standard output", metavar="FILE", help="A new file.")
@click.option("--title", metavar="TEXT", help="Title of the HTML page: what the files are.")
@click.option("--contact", metavar="TEXT", help="Contact on the HTML page: whom the recipient asks for new links.")
@aws_options
def export(
    terminal: Terminal, manifest_place: str, form: str, output: str, title: str | None, contact: str | None
) -> None:
    """
    Write a manifest as a list of URLs, as input of aria2, curl or a download manager (Metalink), as CSV, as an HTML
    page to click on, or as a Python script that downloads the files and needs nothing but Python.

    Prefer aria2 to a mere list of URLs: it gets the file names that `download` gives, and continues where it stopped.

    The output holds live URLs: a file is readable by its owner alone.
    """
    written, names = FORMS[form], BaseNames()
    if title is not None or contact is not None:
        if form != "html":
            raise WrongUseError("--title and --contact need --as html")
        written = partial(page, title=title or TITLE, contact=contact or "")
    count = 0
    with (
        reader.opened(place(manifest_place), lambda: terminal.client("s3")) as stream,
        _written(output) as file,
        reading(terminal, stream) as show,
    ):

        def counted() -> Iterator[reader.Entry]:
            nonlocal count
            for entry in reader.entries(stream):
                count += 1
                if count % 1000 == 0:
                    show(f"{count:,} lines")
                yield entry

        file.writelines(written(names.watched(counted()) if form == "urls" else counted()))
    if names.shared:
        terminal.note(
            f"{names.shared:,} URLs have no file name of their own behind the last slash, first "
            f"{printable(names.first or '')}: wget and curl -O would mix them up; --as aria2 and --as script do not"
        )
    if output == STDOUT:
        return
    if terminal.json:
        terminal.result({"count": count, "form": form, "output": output})
    else:
        terminal.say(f"{output}: {count:,} URLs")


@contextmanager
def _written(output: str) -> Iterator[TextIO]:
    """
    Open the output; an incomplete file is removed.

    :raises WrongUseError: The file exists already.
    """
    if output == STDOUT:
        with click.open_file(STDOUT, "w", encoding="utf-8", errors="surrogateescape") as stream:
            yield cast("TextIO", stream)
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as error:
        raise WrongUseError(f"{output} exists already") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
    except BaseException:
        Path(output).unlink(missing_ok=True)
        raise
