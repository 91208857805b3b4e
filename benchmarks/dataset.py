"""The objects that the stub pretends to hold, and the ListObjectsV2 pages that describe them."""

from __future__ import annotations

import base64
import bisect
import functools
import hashlib
import re
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from benchmarks.keysets import EVEN, SKEWED

PAGE = 1000
BUCKET = "bench-reports"
REGION = "us-east-1"
SUFFIX = ".pdf"
_PREFIX = re.compile(r"([a-z_]+)-(\d{7})/\Z")
EVEN_SET = "set"  # the set of every scenario but the readers'; others are in benchmarks.keysets
_FOLDER_MARK = "@@@@@@"


def prefix_of(count: int, keys: str = EVEN_SET) -> str:
    """Name the prefix under which the stub holds exactly this many objects of a set of keys."""
    return f"{keys}-{count:07d}/"


def count_of(prefix: str) -> int:
    """Return the number of objects under a prefix; 0 under one that :func:`prefix_of` did not make."""
    match = _PREFIX.match(prefix)
    if match is None:
        return 0
    return int(match[2]) if match[1] == EVEN_SET else len(_laid_out(prefix))


@functools.lru_cache(maxsize=4)
def _laid_out(prefix: str) -> list[str]:
    """Make a named set of keys, once; an unknown set is empty."""
    name, _, count = prefix.rstrip("/").rpartition("-")
    make = (EVEN | SKEWED).get(name)
    return [prefix + key for key in make(int(count))] if make else []


def _name(index: int) -> str:
    if index % 50 == 49:  # noqa: PLR2004 one object in fifty is not a PDF
        return f"{index:03d}-index.csv"
    if index % 100 == 7:  # noqa: PLR2004 one in a hundred needs escaping, and its suffix is in capitals
        return f"{index:03d}-customer statement (copy).PDF"
    return f"{index:03d}-customer-statement.pdf"


def key_at(prefix: str, index: int) -> str:
    """Return the key at this place in S3's order."""
    if not prefix.startswith(EVEN_SET):
        return _laid_out(prefix)[index]
    folder, place = divmod(index, PAGE)
    return f"{prefix}2026/04/{folder:06d}/{_name(place)}"


def wanted_key(key: str) -> bool:
    """Filter as all peers do."""
    return key.lower().endswith(SUFFIX)


def wanted(prefix: str) -> list[str]:
    """List the keys that a manifest of this prefix must hold, in S3's order."""
    keys = (key_at(prefix, index) for index in range(count_of(prefix)))
    return [key for key in keys if wanted_key(key)]


def wanted_count(count: int) -> int:
    """Count the keys that a manifest of a number of objects must hold."""
    full, rest = divmod(count, PAGE)
    return full * _pdfs(PAGE) + _pdfs(rest)


def _pdfs(objects: int) -> int:
    return sum(wanted_key(_name(index)) for index in range(objects))


def _encoded(key: str, encoding: str) -> str:
    return quote_plus(key, safe="/*") if encoding == "url" else escape(key)


def _item(key: str, place: int, encoding: str) -> str:
    etag = hashlib.sha256(b"%d" % place).hexdigest()[:32]
    return (
        f"<Contents><Key>{_encoded(key, encoding)}</Key><LastModified>2026-04-01T06:12:{place % 60:02d}.000Z"
        f"</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{48_000 + 37 * place}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


@functools.lru_cache(maxsize=16)
def _folder(prefix: str, encoding: str) -> list[bytes]:
    """Prepare the objects of a folder once: folders differ only in their number."""
    start = f"{prefix}2026/04/"
    mark = f"/04/{_FOLDER_MARK}/"
    items = (_item(f"{start}{0:06d}/{_name(place)}", place, encoding) for place in range(PAGE))
    return [item.replace(f"/04/{0:06d}/", mark).encode() for item in items]


@functools.lru_cache(maxsize=4)
def _laid_out_items(prefix: str, encoding: str) -> list[bytes]:
    return [_item(key, place, encoding).encode() for place, key in enumerate(_laid_out(prefix))]


@functools.lru_cache(maxsize=16)
def _whole_folder(prefix: str, encoding: str) -> bytes:
    return b"".join(_folder(prefix, encoding))


def _items(prefix: str, start: int, stop: int, encoding: str) -> bytes:
    if not prefix.startswith(EVEN_SET):
        return b"".join(_laid_out_items(prefix, encoding)[start:stop])
    pieces = []
    while start < stop:
        folder, place = divmod(start, PAGE)
        count = min(PAGE - place, stop - start)
        whole = count == PAGE
        body = _whole_folder(prefix, encoding) if whole else b"".join(_folder(prefix, encoding)[place : place + count])
        pieces.append(body.replace(_FOLDER_MARK.encode(), b"%06d" % folder))
        start += count
    return b"".join(pieces)


def token_at(index: int) -> str:
    """Make the opaque continuation token that continues at this place."""
    return base64.b64encode(b"page/%012d?" % index + hashlib.sha256(b"%d" % index).digest()).decode()


def _start(prefix: str, query: dict[str, str], count: int) -> int:
    """Find where the page starts: S3 ignores start-after when there is a token."""
    if token := query.get("continuation-token"):
        return int(base64.b64decode(token)[5:17])
    after = query.get("start-after", "").encode()
    return bisect.bisect_right(range(count), after, key=lambda index: key_at(prefix, index).encode()) if after else 0


def page(bucket: str, query: dict[str, str]) -> list[bytes]:
    """
    Answer a ListObjectsV2 request.

    :param bucket: The bucket as the request names it.
    :param query: The query parameters, decoded.
    :return: The XML in pieces, in order.
    """
    prefix, encoding = query.get("prefix", ""), query.get("encoding-type", "")
    limit = min(int(query.get("max-keys", PAGE)), PAGE)
    count = count_of(prefix)
    start = _start(prefix, query, count)
    stop = min(start + limit, count)
    more = "".join(
        (
            f"<EncodingType>{encoding}</EncodingType>" if encoding else "",
            f"<ContinuationToken>{query['continuation-token']}</ContinuationToken>"
            if "continuation-token" in query
            else "",
            f"<NextContinuationToken>{token_at(stop)}</NextContinuationToken>" if stop < count else "",
            f"<StartAfter>{_encoded(query['start-after'], encoding)}</StartAfter>" if "start-after" in query else "",
        )
    )
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{bucket}</Name><Prefix>{_encoded(prefix, encoding)}</Prefix>{more}<KeyCount>{stop - start}</KeyCount>"
        f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{'true' if stop < count else 'false'}</IsTruncated>"
    )
    return [head.encode(), _items(prefix, start, stop, encoding), b"</ListBucketResult>"]
