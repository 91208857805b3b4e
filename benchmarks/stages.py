"""The stages of a job one by one, in one process and on the same pages: the cost of a key in each of them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from isal import isal_zlib

from benchmarks.dataset import PAGE, page, token_at, wanted
from benchmarks.signers.ours import opened
from processor.job import EncodedBytes
from processor.listing.listed import read
from processor.listing.page_parser import take_keys
from processor.manifest import lines
from processor.manifest.encoder import Encoder
from processor.signing.sigv4 import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.work import Work
    from processor.signing import Signer

STAGES = (
    "parse the answer",
    "quote",
    "sign (quoting included)",
    "format the line",
    "CRC-32",
    "compress (CRC-32 included)",
    "SHA-256 of what is sent plain",
)
_ROUNDS = 3  # the minimum counts: the machine is shared


def run(work: Work) -> dict[str, float]:
    """
    Time each stage over all pages of a prefix.

    :return: Microseconds of CPU per signed key, by stage, in the order of the pipeline.
    """
    keys = wanted(work.prefix)
    answers = [b"".join(page(work.bucket, _query(work, start))) for start in range(0, work.count, PAGE)]
    batches = [keys[start : start + PAGE] for start in range(0, len(keys), PAGE)]
    with asyncio.Runner() as runner:
        signer = runner.run(opened(work))
        urls = [runner.run(signer.sign(batch)).urls for batch in batches]
        pages = list(zip(batches, urls, strict=True))
        written = [block for some, signed in pages for block in lines(some, signed)]
        stages: tuple[Callable[[], object], ...] = (
            lambda: _each(_keys(answer) for answer in answers),
            lambda: _each(quoted(batch) for batch in batches),
            lambda: runner.run(_signed(signer, batches)),
            lambda: _each(block for some, signed in pages for block in lines(some, signed)),
            lambda: _each(isal_zlib.crc32(data) for data in written),
            lambda: _compressed(written),
            lambda: _each(hashlib.sha256(data) for data in written),
        )
        times = [min(_cpu(stage) for _ in range(_ROUNDS)) for stage in stages]
        return {name: seconds / len(keys) * 1e6 for name, seconds in zip(STAGES, times, strict=True)}


def _query(work: Work, start: int) -> dict[str, str]:
    query = {"prefix": work.prefix, "encoding-type": "url", "max-keys": str(PAGE)}
    return query if start == 0 else {**query, "continuation-token": token_at(start)}


def _keys(answer: bytes) -> Sequence[str]:
    found: dict[str, Any] = {}
    take_keys({"status_code": 200, "body": answer}, found)
    return read(found).keys


async def _signed(signer: Signer, batches: Iterable[Sequence[str]]) -> None:
    """Sign as a job does: the URLs stay in their parts, which the lines put together."""
    for batch in batches:
        await signer.sign(batch)


def _compressed(written: Sequence[bytes]) -> int:
    encoder = Encoder("gzip", EncodedBytes())
    return sum(len(encoder.encode(data)) for data in written) + len(encoder.flush())


def _each(done: Iterable[object]) -> None:
    """Do all, and keep nothing, as a job does."""
    deque(done, maxlen=0)


def _cpu(stage: Callable[[], object]) -> float:
    begun = time.process_time()
    stage()
    return time.process_time() - begun
