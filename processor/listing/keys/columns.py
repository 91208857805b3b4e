"""What the columns of a list of keys hold, whoever has written it, and which of its rows name no object."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from processor.job import ACCESS_TIER, CHECKSUM_TYPE, ETAG, LAST_MODIFIED, SIZE, STORAGE_CLASS, VERSION_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEYS = ("key", "$path", "name")  # columns of keys; the first that a list has counts. Athena and Trino have $path
# Names of other columns, in lower case: our own, S3's, and those of S3 Inventory and S3 Metadata.
_COLUMNS = {
    "bucket": "bucket",
    "bucketname": "bucket",  # of AWS's tools for PowerShell
    "size": SIZE,
    "etag": ETAG,
    "e_tag": ETAG,
    "last_modified": LAST_MODIFIED,
    "lastmodified": LAST_MODIFIED,
    "lastmodifieddate": LAST_MODIFIED,
    "last_modified_date": LAST_MODIFIED,
    "storage_class": STORAGE_CLASS,
    "storageclass": STORAGE_CLASS,
    "checksum_type": CHECKSUM_TYPE,
    "intelligenttieringaccesstier": ACCESS_TIER,
    "intelligent_tiering_access_tier": ACCESS_TIER,
    "checksumtype": CHECKSUM_TYPE,
    "versionid": VERSION_ID,
    "version_id": VERSION_ID,
    "islatest": "is_latest",
    "is_latest": "is_latest",
    "isdeletemarker": "is_delete_marker",
    "is_delete_marker": "is_delete_marker",
    "record_type": "record_type",
    "url": "url",
    "expires_at": "expires_at",
}
_OURS = frozenset({"key", "url", SIZE, ETAG, LAST_MODIFIED, STORAGE_CLASS, CHECKSUM_TYPE})


class MalformedError(Exception):
    """A line does not have its form; the message says why, without the line's content, which may be a credential."""


def columns(head: Sequence[str]) -> list[str | None]:
    """Return what the columns of a header hold, by our names."""
    names = [name.strip().lower() for name in head]
    of_keys = next((name for name in KEYS if name in names), None)
    return ["key" if name == of_keys else _COLUMNS.get(name) for name in names]


def entry_of(found: Mapping[str, object], bucket: str | None) -> Mapping[str, object] | None:
    """
    Return the values of a JSON object by our names; the AWS CLI and SDKs write S3's, such as ``StorageClass``.

    :param bucket: The only bucket that objects may name.
    :return: ``None`` where it names no object.
    :raises MalformedError: It cannot be what the list means.
    """
    if found.keys() <= _OURS:  # a line of a manifest, as in most long lists
        return found
    entry = {_our_name(name): value for name, value in found.items()}
    _refuse_listing(entry)
    return entry if counts(entry, bucket) else None


@lru_cache(maxsize=64)
def _our_name(name: str) -> str:
    return _COLUMNS.get(name.lower(), name.lower())


def counts(cells: Mapping[str, object], bucket: str | None) -> bool:
    """
    Whether a row names an object, and not a delete marker or a version that is not the latest.

    :param bucket: The only bucket that rows may name.
    :raises MalformedError: It names another one, or is of a journal (S3 Metadata): it may delete what a row before it
                            has named.
    """
    named, is_marker, is_latest = cells.get("bucket"), cells.get("is_delete_marker"), cells.get("is_latest")
    if named is not None and bucket is not None and named != bucket:
        raise MalformedError("names another bucket than the job")
    if cells.get("record_type") == "DELETE":
        raise MalformedError("records a deletion: take the keys from the live inventory table")
    return str(is_marker).lower() != "true" and str(is_latest).lower() != "false"


def _refuse_listing(entry: Mapping[str, object]) -> None:
    """
    Refuse what other programs write of a listing, where keys or objects are missing.

    :raises MalformedError: It is such a line.
    """
    kind = entry.get("type")
    if entry.get("status") == "success" and kind in {"file", "folder"}:
        raise MalformedError("is of mc ls, whose keys lack the folder that was listed: write whole keys")
    if kind == "directory":  # of s5cmd
        raise MalformedError("is a folder, whose objects may not be listed: list them, too")
