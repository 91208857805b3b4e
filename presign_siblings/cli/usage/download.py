"""``download``: the objects of manifests into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import FILE, aws_options, empty_option
from presign_siblings.manifests.location import S3, WEB
from presign_siblings.manifests.pace import Pace, rate
from presign_siblings.manifests.patterns import EXCLUDE, INCLUDE

FETCHES = 16
ARGUMENTS = "download.arguments"


class InOrder(click.Command):
    """A command that keeps its arguments: click forgets in which order two options came."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments."""
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


def _folder(_context: click.Context, _option: click.Parameter, written: str) -> Path:
    if not written or written.startswith((S3, *WEB)):
        raise click.BadParameter("must be a folder of this machine")
    return Path(written)


def _pace(_context: click.Context, _option: click.Parameter, written: str | None) -> Pace | None:
    try:
        found = None if written is None else rate(written)
    except ValueError as error:
        raise click.BadParameter(f"{written!r} {error}") from None
    return None if found is None else Pace(found)


@click.command(
    cls=InOrder,
    epilog=examples(
        "download manifest.jsonl pdfs/",
        "download https://reports.s3.eu-west-1.amazonaws.com/manifests/...jsonl pdfs/ --parallel 64",
        "download manifest.jsonl pdfs/ --exclude '*' --include '2026/*.pdf' --bwlimit 10M",
        "download april.jsonl may.jsonl.gz pdfs/",
        "download - pdfs/",
    ),
)
@click.argument("manifests", type=FILE, metavar="MANIFEST...", nargs=-1, required=True)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False), callback=_folder)
@click.option("--parallel", type=click.IntRange(1, 256), default=FETCHES, show_default=True, help="Files at once.")
@click.option(INCLUDE, multiple=True, metavar="GLOB", help="Take keys that match, despite an --exclude before it.")
@click.option(EXCLUDE, multiple=True, metavar="GLOB", help="Leave out keys that match, despite an --include before it.")
@click.option("--bwlimit", "pace", callback=_pace, metavar="RATE", help="Bytes a second at most: 10M, 512k, 1.5G, off.")
@click.option("--ignore-checksum", is_flag=True, help="Count the bytes that come, but compare no checksum.")
@click.option("--keep-going", is_flag=True, help="Try every link, however many were refused in a row.")
@empty_option
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched; fetch and write nothing.")
@aws_options
def download(**_: Any) -> None:
    """
    Download every object of a manifest into DIR; the key becomes the path.

    Several manifests of one bucket are read as one, and their lines may come in any order; - is standard input. A file
    that is already the same as its object, by size and ETag, is kept. So the same command continues after an
    interruption, inside a file too: the bytes that came wait beside it, under a name that ends in %part.

    A file appears whole or not at all, with the bytes that the object's checksum or ETag promises; where an ETag only
    looks like an MD5, the object is fetched twice. An object of 64 MiB or more is fetched over up to 8 of the
    --parallel connections, when no other file needs them.

    --include and --exclude work on keys: * also matches slashes, and the last pattern that matches decides. Where
    --include comes first, or alone, only keys that match are taken. Characters that a file system could misread are
    percent-encoded, no two keys share a file, and nothing is written outside DIR, whatever links it holds. One
    download at a time works in DIR.

    After 20 equal refusals in a row (200 of archived or deleted objects) the rest is not tried; where processes share
    the work, each counts its own. Ends with 3 when a file did not come, and when there is no key to download.
    """
