"""``signer: cloudfront`` from event to manifest, and at the desk; OpenSSL verifies the signatures."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from presign_siblings.cli.main import main
from processor.chain import resources
from processor.errors import RetryableError
from tests.buckets import fill, manifest_of
from tests.conftest import NOW
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from tests.output import Output

    Handler = Callable[..., dict[str, Any]]

DOMAIN, KEYS = "files.example.com", [f"in/{number} é.pdf" for number in range(6)]


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    """Return a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def pem(key: ec.EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the private key as PEM, and name the distribution in the environment."""
    monkeypatch.setenv("CLOUDFRONT_DOMAIN", DOMAIN)
    monkeypatch.setenv("CLOUDFRONT_KEY_PAIR_ID", "K2JCJMDEHXQW5F")
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, plain).decode()


def decoded(text: str) -> bytes:
    """Decode CloudFront's base64."""
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")))


def policy_of(url: str) -> bytes:
    """Return the policy of a URL; a canned policy follows from the URL itself."""
    query = parse_qs(urlsplit(url).query)
    if "Policy" in query:
        return decoded(query["Policy"][0])
    ends = {"DateLessThan": {"AWS:EpochTime": int(query["Expires"][0])}}
    statement = {"Resource": url.partition("?")[0], "Condition": ends}
    return json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()


def verified(folder: Path, key: ec.EllipticCurvePrivateKey, policy: bytes, signature: str) -> bool:
    """Verify a signature with OpenSSL and the public key."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, content in {"public.pem": public, "policy": policy, "signature": decoded(signature)}.items():
        (folder / name).write_bytes(content)
    command = [program("openssl"), "dgst", "-sha1", "-verify", "public.pem", "-signature", "signature", "policy"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("policy", ["canned", "prefix"])
def test_a_job_signs_for_the_distribution_and_leaves_its_key_in_the_secret(  # noqa: PLR0913, PLR0917 - fixtures
    handler: Handler,
    s3: S3Client,
    bucket: str,
    output: Output,
    pem: str,
    key: ec.EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    policy: str,
) -> None:
    """Links of 30 days, whatever the role's session; each is verified by OpenSSL, and has its policy's signature."""
    monkeypatch.setattr(resources, "is_of_role", lambda *_: True)
    monkeypatch.setattr(resources, "credentials_end", lambda *_: NOW + timedelta(hours=1))
    secret = f"autotest/{policy}/{bucket}"
    boto3.client("secretsmanager").create_secret(Name=secret, SecretString=pem)
    monkeypatch.setenv("CLOUDFRONT_SECRET", secret)
    fill(s3, bucket, KEYS)
    job = {"bucket": bucket, "prefix": "in/", "signer": "cloudfront", "policy": policy, "expiry_seconds": "30d"}
    body = handler(job)["body"]
    assert (body["expires_at"], "warning" in body) == ("2026-05-01T06:30:15Z", False)
    lines = manifest_of(s3, bucket, body)
    assert [line["key"] for line in lines] == KEYS
    signatures = [parse_qs(urlsplit(line["url"]).query)["Signature"][0] for line in lines]
    assert len(set(signatures)) == (len(KEYS) if policy == "canned" else 1)
    for line, signature in zip(lines, signatures, strict=True):
        assert line["url"].startswith(f"https://{DOMAIN}/in/")
        assert verified(tmp_path, key, policy_of(line["url"]), signature)
    kept = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in _objects(s3, bucket)]
    assert pem.splitlines()[1] not in output.getvalue() + output.errors + repr(kept)


def _objects(s3: S3Client, bucket: str) -> list[Any]:
    return list(s3.list_objects_v2(Bucket=bucket)["Contents"])


def test_an_error_about_the_private_key_holds_no_part_of_it(
    handler: Handler, bucket: str, pem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such secret, and a secret that holds something else."""
    boto3.client("secretsmanager").create_secret(Name=f"autotest/{bucket}", SecretString=pem[:60])
    for name, message in {"autotest/nothing": "cannot read the secret", f"autotest/{bucket}": "no private key"}.items():
        monkeypatch.setenv("CLOUDFRONT_SECRET", name)
        with pytest.raises(RetryableError, match=message) as refused:
            handler({"bucket": bucket, "signer": "cloudfront", "fresh": True})
        assert pem[30:60] not in str(refused.value)


@pytest.mark.parametrize("asked", [["run", "--signer", "cloudfront"], ["url", "--signer", "cloudfront"], ["cookies"]])
@pytest.mark.parametrize("given", [[], ["--domain", "d.example.org"], ["--key-pair-id", "K000000000000"]])
def test_a_missing_distribution_at_the_desk_is_answered_with_the_options(asked: list[str], given: list[str]) -> None:
    """The names of the function's variables would not help in a shell."""
    command, *signer = asked
    result = CliRunner().invoke(main, [command, "s3://reports/a.pdf", *signer, *given])
    assert result.exit_code == 2
    assert "needs --domain, --key-pair-id and --private-key" in result.stderr


def test_the_desk_signs_with_a_key_file_and_makes_cookies(
    s3: S3Client, bucket: str, pem: str, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    """``run``, ``url`` and ``cookies``, each by options alone; ``verify`` reads when the links expire."""
    fill(s3, bucket, KEYS)
    (tmp_path / "key.pem").write_text(pem)
    by_key = ("--private-key", str(tmp_path / "key.pem"), "--domain", "d.example.org", "--key-pair-id", "K000000000000")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, [*arguments, *by_key])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    file, signer = tmp_path / "links.jsonl", ("--signer", "cloudfront")
    result = json.loads(
        run("run", f"s3://{bucket}/in/", "--to", str(file), *signer, "--policy", "prefix", "--no-probe", "--json")
    )
    assert (result["count"], result["ends_with_session"]) == (len(KEYS), False)
    url = run(
        "url", f"s3://{bucket}/in/a.pdf", *signer, "--ip-range", "192.0.2.0/24", "--expiry-seconds", "30d"
    ).strip()
    assert url.startswith("https://d.example.org/in/a.pdf?Policy=")
    wide = run("url", f"s3://{bucket}/in/{{a}}.pdf", *signer, "--policy", "prefix", "--no-probe").strip()
    opened = json.loads(policy_of(wide))["Statement"][0]["Resource"]
    assert opened == "https://d.example.org/in/%7Ba%7D.pdf*", "the policy opens more than the key"
    cookies = dict(line.split("=", 1) for line in run("cookies", f"s3://{bucket}/in/").splitlines())
    assert cookies["CloudFront-Key-Pair-Id"] == "K000000000000"
    for policy, signature in (
        (policy_of(url), parse_qs(urlsplit(url).query)["Signature"][0]),
        (decoded(cookies["CloudFront-Policy"]), cookies["CloudFront-Signature"]),
    ):
        assert verified(tmp_path, key, policy, signature)
    assert json.loads(decoded(cookies["CloudFront-Policy"]))["Statement"][0]["Resource"] == "https://d.example.org/in/*"
