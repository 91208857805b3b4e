"""The clients over TLS: certificates are verified, and the CA bundle is read once per process."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, SSLError

from processor.aws import clients, http_session, open_s3
from tests.scripted_s3 import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scripted_s3 import ScriptedS3


@pytest.fixture
def s3(certificate: Path, aws_environment: None) -> Iterator[ScriptedS3]:  # noqa: ARG001
    """Serve S3 with the self-signed certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    http_session._tls.cache_clear()
    with serving(tls) as server:
        yield server


def _ask(endpoint: str) -> None:
    async def ask() -> None:
        async with open_s3(endpoint, 1) as (client, _):
            await client.head_object(Bucket="reports", Key="nothing")

    asyncio.run(ask())


def test_a_server_with_an_untrusted_certificate_is_refused(s3: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets no request."""
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)  # botocore tries again, after ever longer waits
    with pytest.raises(SSLError):
        _ask(s3.endpoint)
    assert s3.wire == []


def test_a_certificate_of_another_host_is_refused(
    s3: ScriptedS3, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any server with a trusted certificate would get the session's token, and could answer in S3's place."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)
    with pytest.raises(SSLError, match="mismatch"):
        _ask(s3.endpoint.replace("127.0.0.1", "localhost"))
    assert s3.wire == []


def test_the_ca_bundle_of_the_environment_is_trusted_and_read_once(
    s3: ScriptedS3, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``AWS_CA_BUNDLE``, as in each AWS client; a later invocation opens its clients without parsing it again."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    for _ in range(3):
        with pytest.raises(ClientError, match="404"):
            _ask(s3.endpoint)
    assert (http_session._tls.cache_info().misses, s3.count("HeadObject")) == (1, 3)
