"""``url``: one presigned URL."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.job_options import OF_URLS, signing_options, some_field_options
from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options
from presign_siblings.errors import WrongUseError
from presign_siblings.manifests.location import S3Place


@click.command(
    epilog=examples(
        "url s3://reports/2026/may.pdf",
        "url s3://reports/2026/may.pdf --expiry-seconds 12h --filename '{name}'",
        "url s3://reports/2026/may.pdf --json | jq -r .url",
    )
)
@click.argument("place", metavar="S3://BUCKET/KEY")
@click.option("--no-probe", is_flag=True, help="Print the URL without fetching a byte of its object.")
@some_field_options(*OF_URLS)
@signing_options
@aws_options
def url(place: str, **_: Any) -> None:
    """
    Print the presigned URL of one key on standard output, and nothing else there.

    The URL is signed as `run` signs, with the caller's own credentials, and dies with them. The exit code is 3 when the
    URL gives nothing; standard error says why.
    """
    if not S3Place.parse(place).key:
        raise WrongUseError(f"{place} names no key: s3://bucket/key")
