"""``download``: a manifest's objects into a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from presign_siblings.cli.console import Desk, aws_options, printable
from presign_siblings.cli.program import examples
from presign_siblings.cli.verify import reading
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.manifests import reader
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.location import place
from presign_siblings.manifests.safe_folder import Folder

if TYPE_CHECKING:
    from presign_siblings.manifests.download import Downloaded

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
@aws_options
def download(desk: Desk, manifest_place: str, folder: Path, parallel: int) -> None:
    """
    Download every object of a manifest into DIR, under its key as path.

    What is there already with the right size is kept, so the same command goes on after an interruption. A file appears
    whole or not at all. Characters that a file system could misread are percent-encoded, no two keys share a file, and
    nothing is written outside DIR, whatever links lie in it. Ends with 3 when a file did not come.
    """
    done = asyncio.run(_download(desk, manifest_place, folder, parallel))
    if desk.json:
        desk.result(
            {
                "fetched": done.fetched,
                "kept": done.kept,
                "bytes": done.size,
                "failed": done.failed,
                "failures": [{"key": key, "why": why} for key, why in done.failures],
            }
        )
    else:
        desk.say(f"{folder}: {done.fetched:,} fetched ({done.size:,} bytes), {done.kept:,} were there")
        for key, why in done.failures:
            desk.note(f"not there: {printable(key)}: {why}")
        if done.failed:
            desk.note(f"{done.failed:,} did not come; the same command tries them again")
    raise SystemExit(UNTRUE if done.failed else DONE)


async def _download(desk: Desk, named: str, path: Path, parallel: int) -> Downloaded:
    with (
        reader.opened(place(named), lambda: desk.client("s3")) as stream,
        Folder(path) as folder,
        reading(desk, stream) as show,
    ):

        def tell(so_far: Downloaded) -> None:
            show(f"{so_far.fetched + so_far.kept:,} files, {so_far.size / 1e6:,.0f} MB")

        async with Fetcher(parallel) as fetcher:
            return await Download(folder, fetcher, tell).run(reader.entries(stream), parallel)
