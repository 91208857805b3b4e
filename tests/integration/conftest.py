"""A moto server: AWS over real HTTP, without signatures."""

from __future__ import annotations

import functools
import logging
import threading
import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.core.utils import method_names_from_class
from moto.dynamodb.models import DynamoDBBackend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

from presign_siblings.manifests import attempts
from tests import web as web_server
from tests.scripted_s3 import ScriptedS3, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    from tests.web import Web

LOOPBACK = x509.SubjectAlternativeName([x509.IPAddress(ip_address(each)) for each in ("127.0.0.1", "::1")])
_WRITING = threading.RLock()


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """
    Start a server on a free port, once for all tests.

    For each request it looks for its services on the disk, twice, and inspects all methods of one: it keeps both here.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patched:
        found = functools.cache(DomainDispatcherApplication.get_backend_for_host)
        patched.setattr(DomainDispatcherApplication, "get_backend_for_host", found)
        patched.setattr("moto.core.responses.method_names_from_class", functools.cache(method_names_from_class))
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


def _one_at_a_time(write: Callable[..., Any]) -> Callable[..., Any]:
    """Let no other thread of the server write between a write's condition and its effect."""

    def locked(*args: Any, **kwargs: Any) -> Any:
        with _WRITING:
            return write(*args, **kwargs)

    return locked


@pytest.fixture
def aws(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> str:  # noqa: ARG001
    """Point every client of the test at the server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    return moto_endpoint


@pytest.fixture
def s3(aws: str) -> S3Client:
    """Return a client for looking at what the Processor did."""
    return boto3.client("s3", endpoint_url=aws)


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """Make a bucket that no other test knows."""
    name = f"autotest-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.fixture
def table(aws: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Make a jobs table as the stack does; each write to it is one step, as in DynamoDB, and not two, as in moto."""
    for name in ("put_item", "update_item"):
        monkeypatch.setattr(DynamoDBBackend, name, _one_at_a_time(getattr(DynamoDBBackend, name)))
    return boto3.resource("dynamodb", endpoint_url=aws).create_table(
        TableName=f"autotest_{uuid.uuid4().hex}",
        KeySchema=[{"AttributeName": "job_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "job_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def scripted_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedS3]:
    """Run a server that fails on cue; botocore waits for nothing before a retry."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with serving() as s3:
        yield s3


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Serve what the test scripts; a download waits for nothing before a retry."""
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.0)
    with web_server.serving() as running:
        yield running


def _pem(of: str, by: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, says: Any) -> bytes:
    """Return a certificate with one extension, which is not critical, and its key."""
    now = datetime.now(UTC)
    issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (by, of))
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(says, critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM) + private


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for loopback; the file holds its key too."""
    key, file = ec.generate_private_key(ec.SECP256R1()), tmp_path_factory.mktemp("tls") / "loopback.pem"
    file.write_bytes(_pem("loopback", "loopback", key, key, LOOPBACK))
    return file


@pytest.fixture(scope="session")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make an inspecting proxy's own authority, as most of them make it, and a certificate for loopback by it."""
    own, key, folder = *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2)), tmp_path_factory.mktemp("proxy")
    authority = x509.BasicConstraints(ca=True, path_length=None)
    (folder / "authority.pem").write_bytes(_pem("proxy", "proxy", own, own, authority))
    (folder / "loopback.pem").write_bytes(_pem("loopback", "proxy", key, own, LOOPBACK))
    return folder / "authority.pem", folder / "loopback.pem"
