"""Where the manifest of a run on this machine goes: never to a place that was not meant, since it holds live links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings.errors import WrongUseError
from presign_siblings.manifests.location import S3Place, place

if TYPE_CHECKING:
    from pathlib import Path

NAME, SUFFIX = "manifest.jsonl", ".gz"
_FILES = (".jsonl", ".json", ".gz", ".ndjson")


def target(to: str, *, gzip: bool) -> Path | S3Place:
    """
    Return the new file, or the bucket and prefix.

    :param to:   As the user wrote it. A folder takes a file of the usual name; a prefix in S3 ends with a slash.
    :param gzip: Whether the manifest is to be compressed.
    :raises WrongUseError: The place is neither, or cannot be one.
    """
    found = place(to)
    if isinstance(found, S3Place):
        return _prefix(found)
    if isinstance(found, str):
        raise WrongUseError("the manifest goes to a file, or to s3://bucket/prefix/")
    if found.is_dir():
        return found / (NAME + SUFFIX * gzip)
    if to.endswith("/"):
        raise WrongUseError(f"the folder {to} does not exist")
    if found.exists() and not found.is_file():
        raise WrongUseError(f"{to} is neither a new file nor a folder; - is standard output")
    return found


def _prefix(found: S3Place) -> S3Place:
    if found.key.lower().endswith(_FILES):
        raise WrongUseError(f"{found} names a file: under s3://{found.bucket}/ each manifest has the name of its job")
    return S3Place(found.bucket, found.key if not found.key or found.key.endswith("/") else f"{found.key}/")
