"""
obstore, the fastest of them, by its own fast path: pages as chunks, one signing call per page, a buffered writer.

Arrow record batches list faster than dictionaries; they need ``arro3-core``, which obstore does not install.
"""

from __future__ import annotations

import importlib.util
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
from isal import isal_zlib
from obstore.store import S3Store

from benchmarks.dataset import wanted_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.work import Work

_CHUNK = 1000
_ARROW = importlib.util.find_spec("arro3") is not None
_GZIP_WINDOW = 31  # zlib's maximal window, with gzip's header and trailer


def store_for(work: Work) -> S3Store:
    """Create the store; credentials and region come from the environment."""
    return S3Store(work.bucket, endpoint=work.endpoint, client_options={"allow_http": True})


def _compression(name: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if name == "none":
        return (lambda piece: piece), (lambda: b"")
    deflate: Any = isal_zlib.compressobj(level=1, wbits=_GZIP_WINDOW)
    return deflate.compress, deflate.flush


def chunks(store: S3Store, prefix: str) -> Iterator[list[str]]:
    """List a prefix as chunks of keys."""
    if not _ARROW:
        for chunk in obstore.list(store, prefix, chunk_size=_CHUNK):
            yield [found["path"] for found in chunk]
        return
    batches: Any = obstore.list(store, prefix, chunk_size=_CHUNK, return_arrow=True)
    for batch in batches:
        yield batch["path"].to_pylist()


def run(work: Work) -> int:
    """Do the work and return the number of signed keys."""
    store = store_for(work)
    expires = timedelta(seconds=work.expiry_seconds)
    compress, finish = _compression(work.compression)
    signed = 0
    with obstore.open_writer(store, "manifests/obstore.jsonl") as writer:
        for chunk in chunks(store, work.prefix):
            keys = [key for key in chunk if wanted_key(key)]
            urls = obstore.sign(store, "GET", keys, expires)
            lines = [json.dumps({"key": key, "url": url}) + "\n" for key, url in zip(keys, urls, strict=True)]
            writer.write(compress("".join(lines).encode()))
            signed += len(keys)
        writer.write(finish())
    return signed
