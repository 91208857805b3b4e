"""``download``: a manifest's objects into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options

FETCHES = 16


@click.command(
    epilog=examples(
        "download manifest.jsonl pdfs/",
        "download https://reports.s3.eu-west-1.amazonaws.com/manifests/...jsonl pdfs/ --parallel 64",
        "download manifest.jsonl.gz pdfs/ --json",
    )
)
@click.argument("manifest_place", metavar="MANIFEST")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--parallel", type=click.IntRange(1, 256), default=FETCHES, show_default=True, help="Files at once.")
@click.option("--keep-going", is_flag=True, help="Try every link, however many were refused in a row.")
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched; nothing is asked for or written.")
@aws_options
def download(**_: Any) -> None:
    """
    Download every object of a manifest into DIR; the key becomes the path.

    What is there already is kept where size and ETag are its object's, so the same command continues after an
    interruption. A file appears whole or not at all, with the bytes that the object's checksum or ETag tells; where an
    ETag is no MD5, it is fetched twice. Characters that a file system could misread are percent-encoded, no two keys
    share a file, and nothing is written outside DIR, whatever links lie in it. After 20 equal refusals in a row (200 of
    archived or deleted objects) the rest is not tried. Ends with 3 when a file did not come.
    """
