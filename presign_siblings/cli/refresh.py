"""``refresh``: sign the keys of a manifest again, without a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.run import exit_code, run_options
from presign_siblings.errors import WrongUseError
from presign_siblings.manifests import reader
from presign_siblings.manifests.location import S3Place, place
from processor.job import FACTS

if TYPE_CHECKING:
    from pathlib import Path

    from presign_siblings.cli.console import Terminal


@click.command(
    epilog=examples(
        "refresh manifest.jsonl --to fresh.jsonl",
        "refresh s3://reports/manifests/3f2a-77c0.jsonl.gz --to s3://reports/manifests/ --expiry-seconds 7d",
    )
)
@click.argument("manifest_place", metavar="MANIFEST")
@click.option("--bucket", metavar="BUCKET", help="Bucket of the keys, where the links in the manifest do not tell it.")
@run_options
def refresh(
    terminal: Terminal,
    manifest_place: str,
    bucket: str | None,
    to: str,
    *,
    resume: bool,
    allow_empty: bool,
    **options: Any,
) -> None:
    """
    Sign the keys of MANIFEST (a file, or s3://bucket/key) again, in its order and without a listing.

    The links of a manifest die; the keys in it do not. The facts that its lines hold stand in the new ones too, and so
    do the versions that its links name. As with `run`, Ctrl-C leaves a checkpoint, and --resume continues.
    """
    named = place(manifest_place)
    if isinstance(named, str):
        raise WrongUseError("a link to a manifest cannot be refreshed: download it first, or name s3://bucket/key")
    first = _first(terminal, named)
    if first is not None and options.get("fields") is None:
        options["fields"] = [name for name in FACTS if getattr(first, name) is not None]
    if first is not None and "versionId=" in first.url and options.get("version_ids") is None:
        options["version_ids"] = True
    found = bucket or (None if first is None else first.bucket)
    if found is None:
        raise WrongUseError(f"{manifest_place} does not tell the bucket of its keys: add --bucket")
    source = manifest_place if isinstance(named, S3Place) else f"file://{named.resolve()}"
    options["refresh"] = source
    raise SystemExit(exit_code(terminal, f"s3://{found}/", to, options, resume=resume, allow_empty=allow_empty))


def _first(terminal: Terminal, named: S3Place | Path) -> reader.Entry | None:
    """Return the manifest's first line."""
    with reader.opened(named, lambda: terminal.client("s3")) as stream:
        return next(reader.entries(stream), None)
