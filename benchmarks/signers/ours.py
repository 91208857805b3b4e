"""Our own batch signer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aioboto3
from botocore.config import Config

from benchmarks.signers.timing import timed
from processor.job import ResponseHeaders
from processor.signing import open_signer

if TYPE_CHECKING:
    from benchmarks.work import Work
    from processor.signing import Signer


async def opened(work: Work) -> Signer:
    """Open a job's signer."""
    session: Any = aioboto3.Session()
    async with session.client("s3", endpoint_url=work.endpoint, config=Config(signature_version="s3v4")) as client:
        credentials = await (await session.get_credentials()).get_frozen_credentials()
        return await open_signer(
            client,
            credentials.secret_key,
            bucket=work.bucket,
            expiry_seconds=work.expiry_seconds,
            clock=lambda: datetime.now(UTC),
            headers=ResponseHeaders(filename="report {name}") if work.names else None,
        )


async def sign_all(signer: Signer, batches: list[list[str]]) -> int:
    """Sign, and keep nothing; return the number of URLs, each of which is put together as a peer's is."""
    return sum([len(list((await signer.sign(batch)).urls)) for batch in batches])


def run(work: Work) -> dict[str, float]:
    """Time it."""
    with asyncio.Runner() as runner:
        signer = runner.run(opened(work))
        if signer.fallback_reason:
            raise RuntimeError(signer.fallback_reason)
        return timed(work, lambda batches: runner.run(sign_all(signer, batches)))
