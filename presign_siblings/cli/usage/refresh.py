"""``refresh``: sign the keys of a manifest again, without a listing."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.run import run_options
from presign_siblings.cli.usage.shared import FILE
from presign_siblings.errors import WrongUseError
from presign_siblings.manifests.location import STDIN, place


@click.command(
    epilog=examples(
        "refresh manifest.jsonl --to fresh.jsonl",
        "refresh manifest.jsonl --to fresh.jsonl --dry-run",
        "refresh s3://reports/manifests/3f2a-77c0.jsonl.gz --to s3://reports/manifests/ --expiry-seconds 7d",
    )
)
@click.argument("manifest_place", type=FILE, metavar="MANIFEST")
@click.option("--bucket", metavar="BUCKET", help="Bucket of the keys, where the links in the manifest do not name it.")
@run_options
def refresh(manifest_place: str, **_: Any) -> None:
    """
    Sign the keys of MANIFEST (a file, s3://bucket/key or -) again, in its order and without a listing.

    The links of a manifest die; the keys in it do not. The new lines hold the same facts, and the new links name the
    same versions. As with `run`, Ctrl-C leaves a checkpoint, and --resume continues. A manifest that comes through a
    pipe cannot be read again, so such a run leaves no checkpoint.
    """
    if manifest_place != STDIN and isinstance(place(manifest_place), str):
        raise WrongUseError("a link to a manifest cannot be refreshed: download it first, or name s3://bucket/key")
