"""Several prefixes, listed one after the other as if they were one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from processor.listing.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from processor.listing.lister import Lister


async def of_prefixes(lister: Lister, last_key: str | None) -> AsyncGenerator[Page]:
    """
    Yield the pages of a job's prefixes; only the last key says how far the listing is.

    :param last_key: Last key listed.
    """
    prefixes = [each for each in lister.job.listed_prefixes if not last_key or _has_more(each, last_key)]
    for number, prefix in enumerate(prefixes, 1):
        lister.turn_to(prefix)
        after = last_key if last_key and last_key.startswith(prefix) else None
        async for page in lister.pages(None, after):
            last_key = page.last_key or last_key
            is_last = page.is_last and number == len(prefixes)
            if page.listed or page.unsignable or is_last:  # an empty page is no progress of a chain
                yield replace(page, cursor=None, last_key=last_key, is_last=is_last)
    if not prefixes:
        yield Page([], 0, None, last_key, is_last=True)


def _has_more(prefix: str, last_key: str) -> bool:
    """Return whether keys under a prefix can come after a key."""
    return prefix > last_key or last_key.startswith(prefix)
