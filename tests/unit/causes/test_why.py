"""What a failed request says: code and message, or cause and place, then the next step; and never a URL."""

from __future__ import annotations

import asyncio
import errno
import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectionClosedError,
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSOTokenLoadError,
)
from botocore.parsers import ResponseParserError

from processor.aws import open_s3
from processor.causes import place, plain, why
from processor.errors import RetryableError, SourceRefusedError, from_client_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "X-Amz-Signature=abc"


def refused(code: str, message: str = "", **meta: Any) -> ClientError:
    """Return a service's refusal."""
    region = {"Region": meta.pop("Region")} if "Region" in meta else {}
    response: Any = {"Error": {"Code": code, "Message": message, **region}, "ResponseMetadata": meta}
    return ClientError(response, "ListObjectsV2")


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (refused("AccessDenied", "Access Denied"), ("AccessDenied", "Access Denied", "--request-payer")),
        (refused("AccessDenied"), ("the stack's RequesterPaysBucket",)),
        (refused("KMS.DisabledException", "arn:aws:kms:k is disabled."), ("k is disabled", "enable the KMS key")),
        (refused("KMS.KMSInvalidStateException", "k is pending deletion."), ("cancel the deletion of the KMS key",)),
        (refused("ProvisionedThroughputExceededException"), ("give the table more capacity",)),
        (refused("ThrottlingException"), ("fewer jobs and chains at once",)),
        (refused("NoSuchBucket", "gone", Endpoint="http://store:9"), ("http://store:9", "NoSuchBucket", "gone")),
        (
            refused("PermanentRedirect", HTTPHeaders={"x-amz-bucket-region": "eu-west-1"}),
            ("the bucket is in eu-west-1", "--region eu-west-1"),
        ),
        (refused("SecondLevelDomainForbidden", "no"), ("S3_ADDRESSING_STYLE=virtual",)),
        (refused("PathStyleDomainForbidden", "no"), ("S3_ADDRESSING_STYLE=virtual",)),  # Tencent's COS
        (refused("InvalidPathAccess", "no"), ("S3_ADDRESSING_STYLE=virtual",)),  # Volcengine's TOS
        (refused("NoSuchKey", "no"), ("if the endpoint contains the bucket's name",)),
        (refused("InvalidToken", "malformed"), ("sign in again", "AWS_STS_REGIONAL_ENDPOINTS=regional")),
        (ConfigParseError(path="/x/credentials"), ("/x/credentials", "UTF-8 without a byte order mark")),
        (refused("", HTTPStatusCode=502), ("status 502",)),
        (NoCredentialsError(), ("no AWS credentials", "--profile")),
        (ProfileNotFound(profile="x"), ("profile (x)", "list-profiles")),
        (SSOTokenLoadError(error_msg="Token for corp does not exist"), ("Token for corp", "aws sso login")),
        (ReadTimeoutError(endpoint_url=f"http://store:9/k?{SECRET}"), ("http://store:9", "--read-timeout")),
        (ConnectionClosedError(endpoint_url="http://store:9/"), ("http://store:9", "closed")),
        (
            ProxyConnectionError(proxy_url="http://me:pass@proxy:3128", error=ConnectionRefusedError(111, "refused")),
            ("the proxy http://proxy:3128", "refused", "NO_PROXY"),
        ),
        (OSError(28, "No space left on device", "x.jsonl"), ("x.jsonl: No space left on device",)),
        (OSError(24, "Too many open files", "x"), ("x: Too many open files; lower concurrency, or raise ulimit -n",)),
        (OSError("cannot read from the link"), ("cannot read from the link",)),  # a library's own
        (TimeoutError(), ("no answer came in time",)),
        (ZeroDivisionError(), ("ZeroDivisionError",)),
    ],
)
def test_an_error_says_its_cause_and_the_next_step(error: BaseException, parts: tuple[str, ...]) -> None:
    """The reader knows what to do."""
    for part in parts:
        assert part in why(error)


HERE = {"x-amz-bucket-region": "eu-central-1"}


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (refused("PermanentRedirect", HTTPHeaders=HERE), "the bucket is in eu-central-1: --region eu-central-1"),
        (refused("301", HTTPHeaders=HERE), "the bucket is in eu-central-1: --region eu-central-1"),  # to a HEAD
        (refused("AuthorizationHeaderMalformed", Region="eu-central-1"), "the bucket is in eu-central-1: --region"),
        (refused("PermanentRedirect"), "name the bucket's region"),
        (refused("AccessDenied", HTTPHeaders=HERE), "the credentials in use lack the right"),
        (refused("307", HTTPHeaders={"location": "https://wifi.example/login?X-Amz-Signature=abc"}), "it redirects to"),
        (
            refused("AccessDenied", HTTPHeaders={"location": "https://elsewhere"}),
            "the credentials in use lack the right",
        ),
    ],
)
def test_a_region_or_a_redirect_is_named_where_it_is_the_cause(error: ClientError, step: str) -> None:
    """Each answer of S3 names the region, and a redirect may hold the link that was asked for."""
    words = why(error)
    assert words.partition("; ")[2].startswith(step)
    assert "Signature" not in words


def test_an_answer_that_no_parser_reads_is_not_shown() -> None:
    """Botocore's error has all of it: of STS, a secret key."""
    words = why(ResponseParserError("Unable to parse response: b'<SecretAccessKey>s3cr3t'"))
    assert words.startswith("the answer is not from this service; a proxy")
    assert "s3cr3t" not in words


@pytest.mark.parametrize("code", ["403", "AccessDenied"])
def test_a_denial_names_the_account_that_the_request_expected(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 refuses another account's bucket as it refuses a missing right; STS and other services know of no bucket."""
    monkeypatch.setenv("EXPECTED_BUCKET_OWNER", "111122223333")
    assert "EXPECTED_BUCKET_OWNER" not in why(refused(code))
    message = why(refused(code, ExpectedOwner="111122223333"))
    assert "another account than 111122223333 owns the bucket (EXPECTED_BUCKET_OWNER" in message
    assert "EXPECTED_BUCKET_OWNER" not in why(refused("NoSuchBucket", ExpectedOwner="111122223333"))


def test_a_service_message_never_reveals_a_credential() -> None:
    """Services repeat requests in their messages."""
    url = f"https://bucket.s3.amazonaws.com/key?{SECRET}&X-Amz-Security-Token=t0ken"
    encoded = "https%3A%2F%2Fbucket%2Fkey%3FX-Amz-Signature%3Dabc"
    for message in (f"the URL {url} is wrong", f"StringToSign: {SECRET}", "token=t0ken", encoded):
        words = why(refused("SignatureDoesNotMatch", message))
        assert "abc" not in words
        assert "t0ken" not in words
        assert "SignatureDoesNotMatch" in words


@pytest.mark.parametrize("message", ["", "Unknown", "Gone", "Gone."])
def test_a_refusal_says_nothing_twice_and_nothing_that_it_does_not_know(message: str) -> None:
    """Botocore's message is Unknown where the service gave none, and some services repeat their code."""
    assert why(refused("Gone", message)) == "the service answered Gone"


def test_a_message_has_no_error_number() -> None:
    """An errno means nothing to the reader."""
    assert "Errno" not in why(FileNotFoundError(2, "No such file or directory", "a.json"))


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def by_aiohttp(url: str) -> BaseException:
    """Return the error of aiohttp."""
    async with aiohttp.ClientSession() as session:
        try:
            await session.get(url)
        except (aiohttp.ClientError, OSError) as error:
            return error
    raise AssertionError


def by_boto3(url: str) -> BaseException:
    """Return the error of boto3."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2)
    client = boto3.client(
        "s3",
        endpoint_url=url,
        config=config,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    try:
        client.list_objects_v2(Bucket="bucket", Prefix="secret-prefix")
    except BotoCoreError as error:
        return error
    raise AssertionError


async def by_our_client(url: str) -> BaseException:
    """Return the error of the client that lists and writes."""
    async with open_s3(url, 1) as (client, _):
        try:
            await client.list_objects_v2(Bucket="bucket")
        except BotoCoreError as error:
            return error
    raise AssertionError


@pytest.mark.parametrize("ask", [by_boto3, lambda url: asyncio.run(by_aiohttp(url))], ids=["boto3", "aiohttp"])
def test_errors_of_boto3_and_aiohttp_are_read_alike(ask: Callable[[str], BaseException]) -> None:
    """The command line uses both libraries."""
    port = closed_port()
    refusal = why(ask(f"http://127.0.0.1:{port}/bucket/secret-prefix"))
    assert f"127.0.0.1:{port}" in refusal
    assert "refused" in refusal
    assert "secret-prefix" not in refusal
    unknown = why(ask("http://nosuch.invalid"))
    assert "nosuch.invalid" in unknown
    assert "cannot be resolved" in unknown
    assert "check the region (--region)" in unknown, "an invalid region makes an unknown host"


@pytest.mark.parametrize("proxy", ["http://proxy.invalid:3128", "http://127.0.0.1:{port}"])
def test_an_unreachable_proxy_is_named_instead_of_the_endpoint(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asynchronous client's error reported the endpoint as the host that could not be resolved."""
    monkeypatch.setenv("HTTP_PROXY", proxy.format(port=closed_port()))
    monkeypatch.setattr("processor.aws.clients.MAX_ATTEMPTS", 1)

    message = why(asyncio.run(by_our_client("http://store.example:9")))
    assert message.startswith("the proxy "), message
    assert message.count("failed") == 0, message
    assert ("NO_PROXY" in message, "store.example" in message, "--endpoint-url" in message) == (True, False, False), (
        message
    )


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Serve one answer to each request, and close the connection."""

    class Answering(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("ask", [by_boto3, lambda url: asyncio.run(by_our_client(url))], ids=["boto3", "aiobotocore"])
def test_a_proxy_that_refuses_the_connection_is_reported_with_its_status(
    ask: Callable[[str], BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most commands said that it does not answer, so nobody looked for the missing password."""
    monkeypatch.setattr("processor.aws.clients.MAX_ATTEMPTS", 1)
    with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        message = why(ask("https://store.example"))
    assert f"the proxy {proxy} did not pass the request on: it answered 407;" in message


@pytest.mark.parametrize("answer", [b"\x15\x03\x01\x00\x02\x02F", b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["TLS", "SSH"])
def test_an_endpoint_that_does_not_speak_http_is_reported_in_words(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong port, or http where the store wants https: aiohttp's own words show its parser at work."""
    monkeypatch.setattr("processor.aws.clients.MAX_ATTEMPTS", 1)
    with answering(answer) as url:
        message = why(asyncio.run(by_our_client(url)))
    assert message == f"the connection to {url} failed: the answer is not HTTP; does the endpoint need https?"


def test_a_host_without_a_route_is_not_taken_for_one_behind_a_firewall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop without a network got the advice for a timeout: each failed connection of urllib3 is one by its kind."""

    def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("urllib3.util.connection.create_connection", unreachable)
    message = why(by_boto3("http://192.0.2.1"))
    assert "the connection to http://192.0.2.1 failed: there is no route to the host; check" in message


def test_only_an_http_endpoint_is_asked_whether_it_needs_https() -> None:
    """A firewall or a proxy also closes connections to the right endpoint."""
    assert "need https?" in why(ConnectionClosedError(endpoint_url="http://store:9000"))
    assert "need https?" not in why(ConnectionClosedError(endpoint_url="https://s3.eu-west-1.amazonaws.com"))


def test_a_refused_certificate_names_the_ca_bundle() -> None:
    """A private CA is the common cause."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    message = why(HoldingError(error))
    assert "self-signed certificate" in message
    assert "AWS_CA_BUNDLE" in message


def test_a_bundle_without_a_certificate_is_named_as_the_cause(tmp_path: Path) -> None:
    """Windows exports it as DER; the advice was to check whether the endpoint speaks http."""
    (tmp_path / "ca.cer").write_bytes(b"0\x82\x03")
    with pytest.raises(ssl.SSLError) as failed:
        ssl.create_default_context().load_verify_locations(tmp_path / "ca.cer")
    assert why(HoldingError(failed.value)).endswith("holds no certificate in PEM: --ca-bundle, AWS_CA_BUNDLE")


def test_a_certificate_error_of_aiohttp_is_read_from_the_error_inside_it() -> None:
    """Its own class derives from one of the standard library's, and lacks the attributes of those."""
    inner = ssl.SSLCertVerificationError(1, "certificate verify failed")
    inner.verify_message = "self-signed certificate"
    for held, words in ((inner, "self-signed certificate"), (Exception("no more"), "TLS failed")):
        outer = aiohttp.ClientConnectorCertificateError(SimpleNamespace(host="store", port=443), held)  # type: ignore[arg-type]
        outer.__cause__ = held  # as aiohttp raises it
        message = why(HoldingError(outer))
        assert words in message
        assert "AWS_CA_BUNDLE" in message


def test_aiohttps_message_of_a_broken_request_shows_no_url() -> None:
    """It puts the message, with the URL, where an error of the system has its own."""
    broken = aiohttp.ClientOSError(104, f"Can not write request body for https://name:p4ss@store/k?{SECRET}")
    message = why(HTTPClientError(error=broken))
    assert message == "the connection failed: Can not write request body for https://store"
    assert why(HTTPClientError(error=aiohttp.ClientOSError(32, "Broken pipe"))).endswith("Broken pipe")


class HoldingError(BotoCoreError):
    """A botocore error that wraps another, as most do."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(endpoint_url="https://store/k", error=error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused("NoSuchBucket"), SourceRefusedError),
        (refused("SlowDown"), RetryableError),
        (ReadTimeoutError(endpoint_url="https://s3"), RetryableError),
    ],
)
def test_a_failed_request_is_classified_by_whether_a_retry_can_help(error: Exception, kind: type[Exception]) -> None:
    """A deleted bucket stays deleted."""
    assert type(from_client_error(error, "list s3://b/")) is kind


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "..."),
        (" two\r\n\tlines. ", "two lines"),
        ("see HTTPS://user:word@store:9/a?b=c for more", "see https://store:9 for more"),
    ],
)
def test_the_words_of_another_program_are_one_short_line(said: str, shown: str) -> None:
    """A page of HTML or a terminal's control characters would fill the log."""
    assert plain(said) == shown


@pytest.mark.parametrize("url", ["not a url", "", None, "http://name:pass/word@host"])
def test_the_place_of_what_is_no_url_is_not_shown(url: object) -> None:
    """Any part of it may be a credential."""
    assert place(url) == "the endpoint"


def test_a_redirect_to_nowhere_is_a_matter_of_the_region() -> None:
    """S3 answers so to a request that names another region, and states no location."""
    assert why(refused("301")) == "the service answered 301; name the bucket's region: --region, AWS_REGION"
