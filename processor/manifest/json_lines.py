"""How keys and URLs become the manifest's JSON lines."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK = 1 << 16  # bytes; glibc's malloc takes from 128 KiB on fresh pages from the kernel


def lines(keys: Sequence[str], urls: Sequence[str]) -> Iterator[bytes]:
    """
    Yield the manifest's lines, some at a time; a presigned URL holds nothing that JSON escapes.

    A page's lines in one block would be fresh memory from the kernel each time, and its page faults cost several times
    what the formatting does.
    """
    encode = encode_basestring_ascii
    step = max(1, BLOCK // len(urls[0])) if urls else 1
    for start in range(0, len(urls), step):
        some = zip(keys[start : start + step], urls[start : start + step], strict=True)
        yield "".join([f'{{"key": {encode(key)}, "url": "{url}"}}\n' for key, url in some]).encode("ascii")
