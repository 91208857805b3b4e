"""``refresh``: sign the keys of a manifest again, without a listing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

from presign_siblings.cli.reading import refuse_none
from presign_siblings.cli.run import exit_code
from presign_siblings.errors import WrongUseError
from presign_siblings.laptop.piped import FILE, copied, piped
from presign_siblings.manifests import reader
from presign_siblings.manifests.location import STDIN, S3Place, place
from processor.job import FACTS

if TYPE_CHECKING:
    from pathlib import Path

    from presign_siblings.cli.console import Terminal
    from presign_siblings.manifests.entry import Entry


def refresh(terminal: Terminal, manifest_place: str, bucket: str | None, to: str, **options: Any) -> None:
    """Sign the keys of MANIFEST (a file, or s3://bucket/key) again, in its order and without a listing."""
    pipe = piped(manifest_place)
    with nullcontext() if pipe is None else copied(pipe) as copy:
        named = cast("S3Place | Path", copy or place(manifest_place))  # a link was refused
        shown_place = "standard input" if pipe == STDIN else manifest_place
        raise SystemExit(_signed_again(terminal, shown_place, named, bucket, to, options, keeps=copy is None))


def _signed_again(  # noqa: PLR0913 - the command's arguments
    terminal: Terminal,
    shown_place: str,
    named: S3Place | Path,
    bucket: str | None,
    to: str,
    options: dict[str, Any],
    *,
    keeps: bool,
) -> int:
    """Return the exit code of the run."""
    first = _first(terminal, named)
    refuse_none(0 if first is None else 1, allow_empty=options["allow_empty"])
    if first is not None and options.get("fields") is None:
        options["fields"] = [name for name in FACTS if getattr(first, name) is not None]
    if first is not None and "versionId=" in first.url and options.get("version_ids") is None:
        options["version_ids"] = True
    found = bucket or (None if first is None else first.bucket)
    if found is None:
        raise WrongUseError(f"{shown_place} does not say which bucket its keys are in: add --bucket")
    options["refresh"] = str(named) if isinstance(named, S3Place) else f"{FILE}{named.resolve()}"
    return exit_code(terminal, f"s3://{found}/", to, options, shown_place, keeps=keeps)


def _first(terminal: Terminal, named: S3Place | Path) -> Entry | None:
    """Return the manifest's first line."""
    with reader.opened(named, lambda: terminal.client("s3")) as stream:
        return next(reader.entries(stream), None)
