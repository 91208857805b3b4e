"""
What a ListObjectsV2 answer says, checked: everything that a request of the listing relies on is looked at here.

``processor.answers`` has checked before that it is an answer at all, which says whether the listing continues, or how
many keys it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import lt
from typing import TYPE_CHECKING, Any

from processor.errors import RetryableError, SourceRefusedError, shown
from processor.hindrances import ARCHIVE_CLASSES
from processor.job.s3_names import MAX_KEY_BYTES
from processor.listing import facts
from processor.listing.page_parser import ARCHIVED, BODY, FIRST_VERSION, KEYS, URL, is_url, url_decoded
from processor.listing.version_parser import UNVERSIONED
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processor.listing.facts import Row

_SHORT = MAX_KEY_BYTES // 4  # characters that never have more bytes
NOT_UTF8, TOO_LONG = "not UTF-8", f"longer than {MAX_KEY_BYTES:,} bytes"


@dataclass(frozen=True, slots=True)
class Listed:
    """
    One answer.

    :param keys:      Its keys that S3 can hold, in order.
    :param cursor:    Continuation token of the next page.
    :param truncated: Whether the listing continues; ``None`` where the server does not say.
    :param archived:  Those of ``keys`` whose objects must be restored before S3 gives a byte of them.
    :param unsignable: Its other keys, each with the reason.
    :param tail:      How many of ``unsignable`` come after the last of ``keys``.
    :param facts:     The facts that were asked for, by key.
    """

    keys: list[str]
    cursor: str | None
    truncated: bool | None
    archived: frozenset[str] = frozenset()
    unsignable: tuple[tuple[str, str], ...] = ()
    tail: int = 0
    facts: Mapping[str, Row] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many keys the answer holds."""
        return len(self.keys) + len(self.unsignable)

    @property
    def goes_on(self) -> bool:
        """Whether there is more to ask for. A server that does not say so is asked until it has no more keys."""
        return bool(self.truncated or self.cursor or (self.truncated is None and self.keys))


def read(response: Mapping[str, Any], names: Sequence[str] = ()) -> Listed:
    """
    Read an answer.

    :param names: Facts of each object to read too, in the order of a row.
    :raises RetryableError: It holds fewer keys than it says, or an object without a key.
    :raises SourceRefusedError: The server knows only the first version of the listing, or encodes no keys but says so.
    """
    keys, archived = response.get(KEYS), response.get(ARCHIVED, ())
    if keys is None:
        keys, archived = _of_objects(response)
    rows = _facts(response, keys, names) if names else {}
    stated, folders = response.get("KeyCount"), len(response.get("CommonPrefixes", ()))
    if stated is not None and int(stated) > len(keys) + folders:
        raise RetryableError(f"the answer says that it holds {plural(int(stated), 'key')}, but holds {len(keys)}")
    cursor, truncated = response.get("NextContinuationToken") or None, response.get("IsTruncated")
    if response.get(FIRST_VERSION) and truncated and cursor is None:
        raise SourceRefusedError(
            "the server answers as ListObjects does: it does not support ListObjectsV2, and there are more pages"
        )
    found = Listed(keys, cursor, truncated, frozenset(archived), facts=rows)
    return sorted_out(found) if max(map(len, keys), default=0) > _SHORT or not _is_utf8(keys) else found


def read_versions(response: Mapping[str, Any], names: Sequence[str]) -> Listed:
    """
    Read an answer of ListObjectVersions: each key once, with its latest version; a deleted key has none.

    :param names: Facts of each object to read too, in the order of a row.
    :raises RetryableError: It holds an object without a key.
    :raises SourceRefusedError: The server lists objects in place of versions, or does not encode keys as it says.
    """
    if response.get(UNVERSIONED):
        raise SourceRefusedError("the server lists objects instead of their versions: it does not support version_ids")
    kept = {name: response[name] for name in ("IsTruncated", "EncodingType", KEYS, ARCHIVED, BODY) if name in response}
    if response.get("IsTruncated") and "NextVersionIdMarker" in response:
        key = response["NextKeyMarker"]
        key = url_decoded(key) if response.get("EncodingType") == URL else key
        kept["NextContinuationToken"] = versions_marker(key, response["NextVersionIdMarker"])
    if KEYS in response:
        return read(kept, names)
    deleted = [{"Key": each["Key"], "IsLatest": each["IsLatest"]} for each in response.get("DeleteMarkers", ())]
    latest = [each for each in (*response.get("Versions", ()), *deleted) if each["IsLatest"]]
    latest.sort(key=lambda each: url_decoded(each["Key"]) if response.get("EncodingType") == URL else each["Key"])
    return read({**kept, "Contents": latest}, names)


def versions_marker(key: str, version: str) -> str:
    """Return the place after a version of a key as one text."""
    return f"{version}\n{key}"


def check_order(keys: Sequence[str], last_key: str | None, bucket: str, prefix: str) -> None:
    """
    Refuse a server that lists out of UTF-8 order (directory buckets do), or keys that were not asked for.

    "Every key once" depends on the order, and the deployment's ``ALLOWED_PREFIXES`` on the prefix.

    :param last_key: The key before them, if there is one.
    :raises SourceRefusedError: The keys are not in order, or not under the prefix.
    """
    if not keys:
        return
    if last_key is not None and keys[0] <= last_key:
        raise SourceRefusedError(
            f"s3://{bucket} lists {shown(keys[0])} after {shown(last_key)}: the server repeats keys, or does not list "
            "them in key order"
        )
    if not all(map(lt, keys, keys[1:])):
        raise SourceRefusedError(f"s3://{bucket} is not listed in key order; no directory bucket is")
    # Keys between two keys under a prefix are under the prefix too.
    stranger = next((key for key in (keys[0], keys[-1]) if not key.startswith(prefix)), None)
    if stranger is not None:
        raise SourceRefusedError(
            f"s3://{bucket} was asked for keys under {shown(prefix)}, but lists {shown(stranger)}: "
            "the server does not read the prefix as it was sent"
        )


def keys_after(keys: list[str], last_key: str | None) -> list[str]:
    """
    Drop what ``start_after`` excludes: S3 ignores it beside a token, some servers always.

    UTF-8 order, S3's, is Python's order of code points.
    """
    if last_key is None or not keys or keys[0] > last_key:
        return keys
    return [key for key in keys if key > last_key]


def _of_objects(response: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the keys that botocore's own parser has read, and the archived ones."""
    found = response.get("Contents", ())
    if not all(each.get("Key") for each in found):
        raise RetryableError("the answer holds an object without a key")
    is_encoded = str(response.get("EncodingType", "")).strip().lower() == URL
    if is_encoded and not all(is_url(each["Key"]) for each in found):
        raise SourceRefusedError("the server says that its keys are URL-encoded, but they are not")
    keys = [url_decoded(each["Key"]) if is_encoded else each["Key"] for each in found]
    return keys, [key for key, each in zip(keys, found, strict=True) if _is_archived(each)]


def _is_archived(entry: Mapping[str, Any]) -> bool:
    restore = entry.get("RestoreStatus", {})
    is_restored = "RestoreExpiryDate" in restore and not restore.get("IsRestoreInProgress", False)
    return entry.get("StorageClass") in ARCHIVE_CLASSES and not is_restored


def _is_utf8(keys: Sequence[str]) -> bool:
    try:
        "".join(keys).encode()
    except UnicodeEncodeError:
        return False
    return True


def _facts(response: Mapping[str, Any], keys: list[str], names: Sequence[str]) -> dict[str, Row]:
    if BODY in response:
        return facts.of_page(response[BODY], keys, names)
    return facts.of_objects(response.get("Contents", ()), keys, names)


def sorted_out(found: Listed) -> Listed:
    """Separate keys that no request and no payload can hold: one of them would stop all others."""
    good, bad, tail = list[str](), list[tuple[str, str]](), 0
    for key in found.keys:
        reason = NOT_UTF8 if not _is_utf8([key]) else TOO_LONG if len(key.encode()) > MAX_KEY_BYTES else None
        if reason is None:
            good.append(key)
            tail = 0
        else:
            bad.append((key, reason))
            tail += 1
    archived = found.archived & set(good)
    return replace(found, keys=good, archived=archived, unsignable=tuple(bad), tail=tail)
