"""
What is wrong with links that are signed as they must be.

Many clients rewrite or refuse some of them; others give something else than the links of an earlier manifest did.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DOTS, LONG = "dots_in_path", "long_urls"
UNLIKELY = "unlikely_keys"  # of a list
OTHER_BUCKET, UNPINNED = "other_bucket", "versions_dropped"  # by comparison with an earlier manifest
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})  # to be restored before a link works; GLACIER_IR needs none
MAX_URL = 8192  # bytes that CloudFront takes, and many servers and proxies by default
# A comment, a path of a website, quotes, and the mark of Windows where files were joined.
_UNLIKELY = ("#", "/", "'", "\ufeff")
_ESCAPE = re.compile("%[0-9A-F]{2}", re.IGNORECASE)
_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|\Z)")


def has_dots(key: str) -> bool:
    """
    Whether ``.`` or ``..`` is a segment of a key's path.

    Browsers, curl, wget and most libraries resolve it (RFC 3986, 5.2.4), and so ask for another key.
    Browsers resolve ``%2E``, too, so no other form of the URL helps.
    """
    return _SEGMENT.search(key) is not None


def unlikely(keys: Iterable[str]) -> dict[str, int]:
    """Return how many keys of a list look as if the list had more than the keys, by the reason."""
    number = sum(
        key.startswith(_UNLIKELY) or key.strip() != key or ("%" in key and _ESCAPE.search(key) is not None)
        for key in keys
    )
    return {UNLIKELY: number} if number else {}


def hindered(keys: Sequence[str], urls: Iterable[str]) -> dict[str, int]:
    """
    Return how many of some links are hindered, by reason.

    :param urls: May be left out where none is longer than ``MAX_URL``.
    """
    # Most pages have no slash before a dot, so looking for one costs next to nothing.
    dots = sum(map(has_dots, keys)) if "/." in "/" + "/".join(keys) else 0
    long = sum(len(url) > MAX_URL for url in urls)
    return {reason: number for reason, number in ((DOTS, dots), (LONG, long)) if number}


def describe(numbers: Mapping[str, int]) -> dict[str, str]:
    """Return what hinders some links: a sentence for each reason."""
    found = dict[str, str]()
    if DOTS in numbers:
        found[DOTS] = (
            f"{plural(numbers[DOTS], 'key has', 'keys have')} . or .. as a path segment, which browsers, wget and curl "
            "resolve, so that they ask for another key; download, export --as script and curl --path-as-is do not"
        )
    if LONG in numbers:
        found[LONG] = (
            f"{plural(numbers[LONG], 'link is', 'links are')} longer than {MAX_URL:,} bytes, which CloudFront and "
            "many proxies refuse"
        )
    if UNLIKELY in numbers:
        found[UNLIKELY] = (
            f"{plural(numbers[UNLIKELY], 'key of the list has', 'keys of the list have')} # or / at the beginning, "
            "quotes or blanks around, or an escape such as %20, as have the links: dead if the objects' keys lack it"
        )
    if OTHER_BUCKET in numbers:
        found[OTHER_BUCKET] = "the links of the earlier manifest are for another bucket: name that one as bucket"
    if UNPINNED in numbers:
        found[UNPINNED] = (
            "the earlier manifest, or the list of keys, names versions, and the new links do not: set version_ids"
        )
    return found
