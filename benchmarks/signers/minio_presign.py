"""minio-py's ``presigned_get_object``, one key at a time: it has no call for batches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.peers.minio_loop import client
from benchmarks.signers.timing import timed

if TYPE_CHECKING:
    from benchmarks.work import Work


def run(work: Work) -> dict[str, float]:
    """Time it."""
    minio, expires = client(work), timedelta(seconds=work.expiry_seconds)

    def url(key: str) -> str:
        return minio.presigned_get_object(work.bucket, key, expires=expires)

    return timed(work, lambda batches: len([url(key) for batch in batches for key in batch]))
