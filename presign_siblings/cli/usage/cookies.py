"""``cookies``: CloudFront's signed cookies for everything under a prefix."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.job_options import asked, signing_options, some_field_options
from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options


@click.command(
    epilog=examples(
        "cookies s3://reports/2026/ --domain files.example.com --key-pair-id K2JCJMDEHXQW5F --private-key key.pem",
        "cookies s3://reports/2026/ --expiry-seconds 30d --ip-range 192.0.2.0/24 --json",
    )
)
@click.argument("place", metavar="S3://BUCKET/PREFIX")
@some_field_options("expiry_seconds", "ip_range", "starts_at")
@signing_options
@aws_options
def cookies(place: str, **options: Any) -> None:
    """
    Print the cookies that open everything under a prefix to a browser, through a CloudFront distribution.

    Each line is NAME=VALUE. Whoever has the cookies opens the prefix until they end: they are credentials. Set them for
    the distribution's domain, with Secure and HttpOnly.
    """
    asked(place, options)
