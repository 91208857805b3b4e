"""A bucket inside the measured process: a page of the listing costs no other process's time, and no socket's."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.httpsession import AIOHTTPSession
from botocore.compat import HTTPHeaders

from benchmarks.dataset import page


class _Body:
    """A response's body to read from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body


async def _send(_: object, request: Any) -> AioAWSResponse:  # noqa: ANN401 - a prepared request of botocore
    url = urlsplit(request.url)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    if request.method != "GET" or query.get("list-type") != "2":
        raise RuntimeError(f"this bucket can only be listed: {request.method} {url.path}")
    body = b"".join(page(url.path.strip("/"), query))
    return AioAWSResponse(request.url, 200, HTTPHeaders(), _Body(body))


def install() -> None:
    """Let each client of this process, and of its forks, find the bucket."""
    AIOHTTPSession.send = _send  # type: ignore[method-assign, assignment]
