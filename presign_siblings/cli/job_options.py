"""The fields of a job as options, named as the event names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from presign_siblings.manifests.location import S3Place
from processor.job import GZIP, NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES = ("suffix", "expiry_seconds", "page_size", "concurrency", "compression", "start_after", "end_at")


def field_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the fields of a job."""
    options = (
        click.option("--suffix", help="Keys with this ending, whatever its case; an empty one takes every key."),
        click.option("--expiry-seconds", type=int, metavar="N", help="Life of each URL: 1 to 604800."),
        click.option("--page-size", type=int, metavar="N", help="Keys a LIST request: 1 to 1000."),
        click.option("--concurrency", type=int, metavar="N", help="Part uploads under way at once: 1 to 64."),
        click.option("--compression", type=click.Choice((NONE, GZIP)), help="Of the manifest."),
        click.option("--start-after", metavar="KEY", help="Key to start after (exclusive)."),
        click.option("--end-at", metavar="KEY", help="Last key to take (inclusive)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def asked(source: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event's fields that were said."""
    fields = {name: options[name] for name in NAMES if options.get(name) is not None}
    if source is not None:
        place = S3Place.parse(source)
        fields |= {"bucket": place.bucket, "prefix": place.key}
    return fields
