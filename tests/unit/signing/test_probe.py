"""What a link's answer says of it, before its recipient meets that answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from processor.aws import open_s3
from processor.signing import FirstByte, first_byte, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

KMS = "Requests specifying Server Side Encryption with AWS KMS managed keys "


def answered(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[str, str] | None:
    """Return why an object does not come, where its link has this answer."""

    async def fetch() -> FirstByte:
        return FirstByte(status, headers or {}, body)

    return asyncio.run(refusal(fetch))


def refused(code: str, message: str = "", status: int = 400, **headers: str) -> str:
    """Return why an object does not come, where S3 refuses its link."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    found = answered(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
    assert found is not None
    assert found[0] == code
    return found[1]


@pytest.mark.parametrize(
    ("message", "is_customers"),
    [
        ("The object was stored using a form of Server Side Encryption.", True),
        ("Requests specifying Server Side Encryption with Customer provided keys must provide a key.", True),  # Ceph
        (KMS + "must be made over a secure connection.", False),  # an http link
        (KMS + "require AWS Signature Version 4.", False),  # CloudFront with an origin access identity
    ],
)
def test_only_an_object_under_its_owners_own_key_is_one_that_no_link_can_give(
    message: str, *, is_customers: bool
) -> None:
    """An https link, or an origin access control, gives an object under a KMS key."""
    assert ("no link can give it" in refused("InvalidArgument", message)) is is_customers


@pytest.mark.parametrize(
    ("code", "status", "is_named"),
    [
        ("PermanentRedirect", 301, True),
        ("TemporaryRedirect", 307, True),
        ("AuthorizationHeaderMalformed", 400, True),
        ("AccessDenied", 403, False),
    ],
)
def test_the_buckets_region_is_named_where_the_link_is_for_another(code: str, status: int, *, is_named: bool) -> None:
    """The header is in each answer of S3, also in those that have nothing to do with a region."""
    reason = refused(code, "No", status, x_amz_bucket_region="eu-central-1")
    assert reason == f"{code} (HTTP {status}): No" + ("; the bucket is in eu-central-1" if is_named else "")


@pytest.mark.parametrize("message", ["", "AccessDenied"])
def test_a_refusal_without_words_is_its_code_alone(message: str) -> None:
    """Some stores have no message, or the code in its place."""
    assert refused("AccessDenied", message, 403) == "AccessDenied (HTTP 403)"


@pytest.mark.parametrize("body", [b"<html>Forbidden</html>", "\u7981\u6b62".encode("shift_jis"), b""])
def test_an_answer_that_is_not_s3s_is_named_by_its_status(body: bytes) -> None:
    """A firewall's, in whatever encoding."""
    assert answered(403, body) == ("HTTP 403", "HTTP 403")


@pytest.mark.parametrize("headers", [{"ETag": '"a"'}, {"etag": '"a"'}, {"X-Goog-Generation": "1"}])
def test_a_stores_answer_is_known_by_its_headers_in_any_case(headers: dict[str, str]) -> None:
    """HTTP/2 gateways write them in lower case, most stores do not."""
    assert answered(206, headers=headers) is None


def test_a_page_with_an_empty_etag_is_no_object() -> None:
    """So a network's sign-in page may come, with status 200."""
    assert (answered(200, headers={"ETag": ""}) or ("",))[0] == "no object"


def test_a_store_that_stays_busy_is_asked_four_times_a_second_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pause, all tries are over before the store has had a moment; the job's end does not wait for long."""
    asked, waits = 0, list[float]()

    async def fetch() -> FirstByte:
        nonlocal asked
        asked += 1
        return FirstByte(503, {}, b"<Error><Code>SlowDown</Code></Error>")

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(refusal(fetch)) == ("SlowDown", "SlowDown (HTTP 503)")
    assert (asked, waits) == (4, [1.0, 1.0, 1.0])


def test_the_first_byte_does_not_wait_for_the_rest_of_the_object() -> None:
    """A store, or a proxy, that knows no ranges sends all of it: gigabytes, into a function's memory."""

    async def run() -> tuple[int, bytes]:
        ended = asyncio.Event()

        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 9999999999\r\n\r\n%')
            with suppress(ConnectionError):
                await reader.read()  # until the client closes the connection
            writer.close()
            ended.set()

        async with asyncio.timeout(30), await asyncio.start_server(endless, "127.0.0.1", 0) as server:
            address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with open_s3(address, 1) as (client, _):
                found = await first_byte(client, f"{address}/reports/a.pdf")
                await ended.wait()  # it is closed at once, not when the client is
            return found.status, found.body

    assert asyncio.run(run()) == (200, b"")
