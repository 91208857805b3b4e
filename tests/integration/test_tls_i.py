"""The clients over TLS: certificates are verified, and the CA bundle is read once per process."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, SSLError

from processor.aws import clients, http_session, open_s3
from processor.causes import why
from tests.programs import program
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
    with pytest.raises(SSLError, match="mismatch") as refused:
        _ask(s3.endpoint.replace("127.0.0.1", "localhost"))
    assert s3.wire == []
    assert "another server answers there" in why(refused.value), "another CA bundle would not help"


def test_the_ca_bundle_of_the_environment_is_trusted_and_read_once(
    s3: ScriptedS3, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``AWS_CA_BUNDLE``, as in each AWS client; a later invocation opens its clients without parsing it again."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    for _ in range(3):
        with pytest.raises(ClientError, match="404"):
            _ask(s3.endpoint)
    assert (http_session._tls.cache_info().misses, s3.count("HeadObject")) == (1, 3)


def test_a_folder_of_certificates_is_trusted_too(
    s3: ScriptedS3, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as /etc/ssl/certs, where OpenSSL finds each by a hash of its name."""
    hashed = [program("openssl"), "x509", "-hash", "-noout", "-in", str(certificate)]
    name = subprocess.run(hashed, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(certificate.read_bytes())
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path))
    with pytest.raises(ClientError, match="404"):
        _ask(s3.endpoint)
