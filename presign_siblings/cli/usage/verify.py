"""``verify``: check a manifest."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import FILE, aws_options, empty_option

SAMPLE = 20
FETCHES = 8


@click.command(
    epilog=examples(
        "verify manifest.jsonl",
        "verify s3://reports/manifests/3f2a-77c0.jsonl.gz --sample 200",
        "verify manifest.jsonl --all --head reports",
        "verify manifest.jsonl --json | jq .expires_at",
    )
)
@click.argument("manifest_place", type=FILE, metavar="MANIFEST")
@click.option("--sample", type=click.IntRange(0), default=SAMPLE, show_default=True, help="How many URLs to fetch.")
@click.option("--all", "everything", is_flag=True, help="Fetch every URL.")
@click.option("--head", metavar="BUCKET", help="Compare size and ETag with this bucket, with your own credentials.")
@empty_option
@click.option("--parallel", type=click.IntRange(1, 256), default=FETCHES, show_default=True, help="Fetches at once.")
@aws_options
def verify(**_: Any) -> None:
    """
    Verify a manifest: a file, s3://bucket/key, its URL or -, plain or gzip.

    Every line must be a key and its URL, every key must occur once, and every URL must be signed for its key and alive.
    A sample of the URLs, or all, must answer with their objects' bytes: as many as announced, and with the ETag as MD5
    where the ETag is one. The exit code is 3 when a check fails, and when there is no key at all.
    """
