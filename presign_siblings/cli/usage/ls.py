"""``ls``: what a job would take."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.job_options import OF_THE_MANIFEST, OF_URLS, OPTIONS, asked, some_field_options
from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options

FIRST = 10  # keys that are shown
CHOOSING = tuple(name for name in OPTIONS if name not in {*OF_URLS, *OF_THE_MANIFEST, "keys_from"})


@click.command(
    epilog=examples(
        "ls s3://reports/2026/",
        "ls s3://reports/ --suffix .csv --first 100",
        "ls s3://reports/2026/ --json | jq .bytes",
    )
)
@click.argument("source", metavar="S3://BUCKET/PREFIX")
@click.option(
    "--first", type=click.IntRange(0), default=FIRST, show_default=True, help="How many of the first keys to show."
)
@some_field_options(*CHOOSING)
@aws_options
def ls(source: str, **options: Any) -> None:
    """
    List what a job with the same options would take: how many keys, their bytes, the folders, the first keys.

    Nothing is written, and nothing is signed. The exit code is 3 when a job would take no key.
    """
    asked(source, options)
