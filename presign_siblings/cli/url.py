"""``url``: one presigned URL."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from presign_siblings import connections
from presign_siblings.cli.console import Terminal, aws_options
from presign_siblings.cli.job_options import OF_URLS, asked, some_field_options
from presign_siblings.cli.program import examples
from presign_siblings.errors import DONE, UNTRUE, WrongUseError
from presign_siblings.laptop.inquiry import link
from presign_siblings.manifests.lifetime import ends_at
from presign_siblings.manifests.location import S3Place
from presign_siblings.manifests.verify import ISO


@click.command(
    epilog=examples(
        "url s3://reports/2026/may.pdf",
        "url s3://reports/2026/may.pdf --expiry-seconds 12h --filename '{name}'",
        "url s3://reports/2026/may.pdf --json | jq -r .url",
    )
)
@click.argument("place", metavar="S3://BUCKET/KEY")
@click.option("--no-probe", is_flag=True, help="Print the URL without a look at its object.")
@some_field_options(*OF_URLS)
@aws_options
def url(terminal: Terminal, place: str, *, no_probe: bool, **options: Any) -> None:
    """
    Print the presigned URL of one key on standard output, and nothing else there.

    It is signed as `run` signs, with the caller's own credentials, and dies with them. The exit code is 3 when the URL
    gives nothing; standard error says why.
    """
    named = S3Place.parse(place)
    if not named.key:
        raise WrongUseError(f"{place} names no key: s3://bucket/key")
    event = asked(None, options) | {"bucket": named.bucket}
    made = asyncio.run(link(terminal.client("s3"), event, named.key, probe=not no_probe))
    ends, of_session = ends_at(made.url), connections.is_of_session()
    if terminal.json:
        expires_at = ends and ends.strftime(ISO)
        terminal.result(
            {"url": made.url, "expires_at": expires_at, "ends_with_session": of_session, "refused": made.refused}
        )
    else:
        click.echo(made.url)
        if ends is not None:
            more = ", and dies with the session that signed it" if of_session else ""
            terminal.note(f"lives until {ends.strftime(ISO)} at most{more}")
    if made.refused is not None and not terminal.json:
        terminal.note(f"{named} gives nothing: {made.refused}")
    raise SystemExit(DONE if made.refused is None else UNTRUE)
