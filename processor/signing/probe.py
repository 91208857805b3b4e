"""Try a signed URL as its recipient will: one byte, without any credentials but the URL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest

from processor.answers import NOT_NOW
from processor.causes import (
    BUCKET_REGION,
    OF_OWNERS_KEY,
    OF_STORES,
    READ_BYTES,
    code_and_message,
    is_of_owners_key,
    plain,
    why,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from types_aiobotocore_s3 import S3Client

CAME = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
_STRANGER = "no object", "no object: a proxy, or the network's sign-in page, answers instead of the store"
_TRIES, WAIT_SECONDS = 4, 1.0


@dataclass(frozen=True, slots=True)
class FirstByte:
    """
    The answer to a request for the first byte of a URL's object.

    :param body: The first 16 KiB of an error's body; empty when the byte came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


async def first_byte(client: S3Client, url: str) -> FirstByte:
    """
    Ask for the first byte of a URL's object, over the client's own connections.

    :raises BotoCoreError: No server answers.
    """
    sender: Any = client
    answer = await sender._endpoint.http_session.send(asking(url))  # noqa: SLF001 - the connections of the client
    try:
        body = b"" if answer.status_code in CAME else (await answer.raw.read())[:READ_BYTES]
    finally:
        answer.raw.close()  # a store without ranges sends the whole object
    return FirstByte(answer.status_code, answer.headers, body)


def asking(url: str) -> Any:  # noqa: ANN401 - botocore's
    """Return the request for the first byte of a URL's object."""
    return AWSRequest(method="GET", url=url, headers={"Range": "bytes=0-0"}, stream_output=True).prepare()


async def refusal(fetch: Callable[[], Awaitable[FirstByte]]) -> tuple[str, str] | None:
    """
    Fetch the first byte of a URL's object; an empty object counts as fetched.

    An answer that means "not now" is no refusal of the link: the request is sent again.

    :param fetch: Sends the request. With the client's own connections, proxy and certificates are those of every other
                  request.
    :return: Why the object does not come: S3's code, then code and message in words. ``None`` where it comes.
    """
    for left in reversed(range(_TRIES)):
        status, reason = await _tried(fetch)
        if not left or status not in NOT_NOW:
            break
        await asyncio.sleep(WAIT_SECONDS)
    return reason


async def _tried(fetch: Callable[[], Awaitable[FirstByte]]) -> tuple[int, tuple[str, str] | None]:
    """Return the status (0 without an answer), and why the object does not come."""
    try:
        answer = await fetch()
    except Exception as error:  # noqa: BLE001 - aiohttp's, too, where an error's body breaks off: no probe ends a job
        return 0, (type(error).__name__, why(error))
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # no sign-in page has this status
        return answer.status, None
    if answer.status in CAME:
        named = {name.lower() for name, value in answer.headers.items() if value}
        return answer.status, _STRANGER if OF_STORES.isdisjoint(named) else None
    return answer.status, _reason(answer.status, answer.body, answer.headers.get(BUCKET_REGION))


def _reason(status: int, body: bytes, region: str | None) -> tuple[str, str]:
    of_store, message = code_and_message(body)
    code = of_store or f"HTTP {status}"
    text = f"{code} (HTTP {status})" if of_store else code
    words = plain(message)
    text += f": {words}" if words and words != code else ""
    if is_of_owners_key(words):
        return code, f"{text}; {OF_OWNERS_KEY}"
    return code, f"{text}; the bucket is in {region}" if region and status in {301, 307, 400} else text
