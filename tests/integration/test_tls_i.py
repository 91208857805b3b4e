"""The clients over TLS: certificates are verified, and the CA bundle is read once a process."""

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
    """Serve S3 with that certificate."""
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


def test_a_server_whose_certificate_nobody_vouches_for_is_refused(
    s3: ScriptedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing reaches it."""
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)  # botocore tries again, with ever longer waits
    with pytest.raises(SSLError):
        _ask(s3.endpoint)
    assert s3.wire == []


def test_a_certificate_of_another_host_is_refused(
    s3: ScriptedS3, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has any trusted certificate would get the session's token, and the listing would be theirs."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)
    with pytest.raises(SSLError, match="mismatch"):
        _ask(s3.endpoint.replace("127.0.0.1", "localhost"))
    assert s3.wire == []


def test_the_bundle_that_the_environment_names_is_trusted_and_read_once(
    s3: ScriptedS3, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``AWS_CA_BUNDLE``, as in every AWS client; another invocation opens its clients without parsing it again."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    for _ in range(3):
        with pytest.raises(ClientError, match="404"):
            _ask(s3.endpoint)
    assert (http_session._tls.cache_info().misses, s3.count("HeadObject")) == (1, 3)
