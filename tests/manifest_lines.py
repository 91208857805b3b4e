"""Lines of a manifest, with URLs whose signature is never checked."""

from __future__ import annotations

import json
from io import BytesIO
from urllib.parse import quote

from presign_siblings.manifests.reader import Counted

SIGNATURE = "X-Amz-Signature=0123abcd"
QUERY = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260401T063015Z&X-Amz-Expires=900&{SIGNATURE}"


def url(path: str, host: str = "reports.s3.eu-west-1.amazonaws.com", query: str = QUERY) -> str:
    """Return a presigned URL."""
    return f"https://{host}/{path}?{query}"


def line(key: str, of: str | None = None) -> bytes:
    """Return a line of a manifest."""
    return json.dumps({"key": key, "url": url(quote(key)) if of is None else of}).encode() + b"\n"


def stream(body: bytes, size: int | None = None) -> Counted:
    """Return a stream of a manifest."""
    return Counted(BytesIO(body), len(body) if size is None else size)
