"""The lower bound: three SHA-256 digests per key, of the sizes that SigV4 has, and nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.dataset import REGION
from benchmarks.signers.timing import timed
from benchmarks.work import ACCESS_KEY, TOKEN

if TYPE_CHECKING:
    from benchmarks.work import Work

_BLOCK = 64
_DIGEST = 32
_DATE = "20260401T061200Z"


def _sizes(work: Work) -> tuple[int, int, int]:
    """Sizes of the canonical request and of the inner and outer HMAC messages, for the keys' typical length."""
    scope = f"{_DATE[:8]}/{REGION}/s3/aws4_request"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quote(f'{ACCESS_KEY}/{scope}', safe='')}"
        f"&X-Amz-Date={_DATE}&X-Amz-Expires={work.expiry_seconds}&X-Amz-Security-Token={quote(TOKEN, safe='')}"
        "&X-Amz-SignedHeaders=host"
    )
    path = f"/{work.bucket}/{work.prefix}2026/04/000000/000-customer-statement.pdf"
    canonical = f"GET\n{path}\n{query}\nhost:{work.host}\n\nhost\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{_DATE}\n{scope}\n"
    return len(canonical), _BLOCK + len(to_sign) + 2 * _DIGEST, _BLOCK + _DIGEST


def run(work: Work) -> dict[str, float]:
    """Time it."""
    canonical, inner, outer = (b"x" * size for size in _sizes(work))
    sha256 = hashlib.sha256

    def bare(batches: list[list[str]]) -> int:
        count = 0
        for batch in batches:
            for _ in batch:
                sha256(canonical).digest()
                sha256(inner).digest()
                sha256(outer).digest()
            count += len(batch)
        return count

    return timed(work, bare)
