"""CloudFront's URLs and cookies are botocore's own with RSA, and OpenSSL verifies them with either kind of key."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.signers import CloudFrontSigner as BotocoreCloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from processor.errors import RetryableError, TerminalError
from processor.job import CANNED, PREFIX, SHA256, ResponseHeaders
from processor.signing.cloudfront import CloudFrontSigner, Distribution, private_key
from processor.signing.response import NO_HEADERS, Response
from tests.corpus import AWKWARD_KEYS
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)
DOMAIN, KEY_PAIR_ID = "d111111abcdef8.cloudfront.net", "K2JCJMDEHXQW5F"
LIFE = 30 * 86_400


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return an RSA key; making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    """Return the private key as a secret holds it."""
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain).decode())


def signer(key: Any, response: Response = NO_HEADERS, **distribution: Any) -> CloudFrontSigner:
    """Return a signer with a stopped clock."""
    algorithm = distribution.get("hash_algorithm", "SHA1")
    to = Distribution(
        domain=DOMAIN, key_pair_id=KEY_PAIR_ID, key=private_key(pem(key), "cloudfront", algorithm), **distribution
    )
    return CloudFrontSigner(to, LIFE, lambda: NOW, response)


def urls(of: CloudFrontSigner, keys: Sequence[str]) -> list[str]:
    """Sign some keys."""
    return list(asyncio.run(of.sign(keys)).urls)


def botocore_signer() -> Any:
    """Return botocore's signer with the RSA key."""
    return BotocoreCloudFrontSigner(
        KEY_PAIR_ID,
        lambda message: rsa_key().sign(message, padding.PKCS1v15(), hashes.SHA1()),  # noqa: S303 - CloudFront's
    )


def decoded(text: str) -> bytes:
    """Read CloudFront's base64."""
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")))


def verified_by_openssl(folder: Path, key: Any, policy: bytes, signature: bytes, digest: str = "sha1") -> bool:
    """Let OpenSSL verify a signature with the public key."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, content in {"public.pem": public, "policy": policy, "signature": signature}.items():
        (folder / name).write_bytes(content)
    command = [program("openssl"), "dgst", f"-{digest}", "-verify", "public.pem", "-signature", "signature", "policy"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_canned__a_url_is_botocores_character_for_character() -> None:
    """For keys that encoders get wrong."""
    expected = botocore_signer()
    ends_at = NOW + timedelta(seconds=LIFE)
    for key, url in zip(AWKWARD_KEYS, urls(signer(rsa_key()), AWKWARD_KEYS), strict=True):
        resource = url.partition("?")[0]
        assert url == expected.generate_presigned_url(resource, date_less_than=ends_at), key


def test_prefix__one_signature_that_is_botocores_serves_every_key() -> None:
    """A billion lines cost one signature a second."""
    of = signer(rsa_key(), policy=PREFIX, prefix="in box/2026/")
    found = urls(of, ["in box/2026/a.pdf", "in box/2026/b.pdf"])
    queries = {url.partition("?")[2] for url in found}
    assert len(queries) == 1
    policy = botocore_signer().build_policy(f"https://{DOMAIN}/in%20box/2026/*", NOW + timedelta(seconds=LIFE))
    assert found[0] == botocore_signer().generate_presigned_url(found[0].partition("?")[0], policy=policy)


def test_prefix__all_batches_of_a_second_have_one_signature() -> None:
    """It costs a millisecond, as much as hundreds of keys; with ECDSA, no two signatures are equal."""
    now = [NOW]
    to = Distribution(
        domain=DOMAIN, key_pair_id=KEY_PAIR_ID, key=private_key(pem(ec_key()), "cloudfront"), policy=PREFIX, prefix="a/"
    )
    of = CloudFrontSigner(to, LIFE, lambda: now[0])
    first = urls(of, ["a/b.pdf"])
    now[0] += timedelta(microseconds=999_999)
    again = urls(of, ["a/b.pdf"])
    now[0] += timedelta(microseconds=1)
    assert (first == again, first == urls(of, ["a/b.pdf"])) == (True, False)


@pytest.mark.parametrize("policy", [CANNED, PREFIX])
@pytest.mark.parametrize(
    ("starts_at", "ip_range"),
    [(NOW + timedelta(hours=1), "192.0.2.0/24"), (NOW + timedelta(hours=1), None), (None, "192.0.2.0/24")],
)
def test_start_and_ip_range__are_in_a_custom_policy_as_botocore_builds_it(
    policy: str, starts_at: datetime | None, ip_range: str | None
) -> None:
    """A canned policy has an end and nothing else."""
    of = signer(rsa_key(), policy=policy, prefix="a/", starts_at=starts_at, ip_range=ip_range)
    (url,) = urls(of, ["a/b.pdf"])
    resource = f"https://{DOMAIN}/a/*" if policy == PREFIX else f"https://{DOMAIN}/a/b.pdf"
    expected = botocore_signer().build_policy(resource, NOW + timedelta(seconds=LIFE), starts_at, ip_range)
    assert decoded(parse_qs(urlsplit(url).query)["Policy"][0]).decode() == expected


@pytest.mark.parametrize("make", [rsa_key, ec_key])
@pytest.mark.parametrize("algorithm", ["SHA1", SHA256])
def test_openssl_verifies_the_signature(make: Any, algorithm: str, tmp_path: Path) -> None:
    """RSA and ECDSA, with the hash that the URL names; a changed policy is refused."""
    (url,) = urls(signer(make(), policy=PREFIX, prefix="a/", hash_algorithm=algorithm), ["a/b.pdf"])
    query = parse_qs(urlsplit(url).query)
    policy, signature = decoded(query["Policy"][0]), decoded(query["Signature"][0])
    assert query.get("Hash-Algorithm", ["SHA1"]) == [algorithm]
    assert verified_by_openssl(tmp_path, make(), policy, signature, algorithm.lower())
    assert not verified_by_openssl(tmp_path, make(), policy.replace(b"a/", b"b/"), signature, algorithm.lower())


def test_response_headers__are_covered_by_the_signature() -> None:
    """Their query comes before CloudFront's own, and belongs to the resource."""
    response = Response(ResponseHeaders(filename="{stem}-copy.{ext}", content_type="application/pdf"))
    (url,) = urls(signer(rsa_key(), response), ["a/ü b.pdf"])
    resource, _, _ = url.partition("&Expires=")
    assert url == botocore_signer().generate_presigned_url(resource, date_less_than=NOW + timedelta(seconds=LIFE))
    query = parse_qs(urlsplit(url).query)
    assert query["response-content-type"] == ["application/pdf"]
    assert query["response-content-disposition"] == [
        "attachment; filename=\"_ b-copy.pdf\"; filename*=UTF-8''%C3%BC%20b-copy.pdf"
    ]


@pytest.mark.parametrize("policy", [CANNED, PREFIX])
@pytest.mark.parametrize("response", [Response(ResponseHeaders()), Response(ResponseHeaders(content_type="a/b"))])
def test_a_version__is_part_of_what_is_signed(policy: str, response: Response) -> None:
    """Otherwise whoever has the link could ask for another version."""
    of = signer(rsa_key(), response, policy=policy, prefix="a/")
    (url,) = asyncio.run(of.sign(["a/b.pdf"], versions={"a/b.pdf": "v/1+="})).urls
    assert parse_qs(urlsplit(url).query)["versionId"] == ["v/1+="]
    if policy == CANNED:
        resource = url.partition("&Expires=")[0]
        assert url == botocore_signer().generate_presigned_url(resource, date_less_than=NOW + timedelta(seconds=LIFE))


@pytest.mark.parametrize("algorithm", ["SHA1", SHA256])
def test_cookies__open_the_whole_prefix(algorithm: str, tmp_path: Path) -> None:
    """A browser sends them with every request; OpenSSL verifies the signature, by the hash that a cookie names."""
    cookies = signer(ec_key(), policy=PREFIX, prefix="a/", hash_algorithm=algorithm).cookies()
    assert cookies.get("CloudFront-Hash-Algorithm", "SHA1") == algorithm
    policy = decoded(cookies["CloudFront-Policy"])
    assert json.loads(policy)["Statement"][0]["Resource"] == f"https://{DOMAIN}/a/*"
    assert cookies["CloudFront-Key-Pair-Id"] == KEY_PAIR_ID
    assert verified_by_openssl(tmp_path, ec_key(), policy, decoded(cookies["CloudFront-Signature"]), algorithm.lower())


def test_a_key_that_is_not_unicode_stops_no_other() -> None:
    """Half of a surrogate pair cannot be encoded."""
    signed = asyncio.run(signer(rsa_key()).sign(["a.pdf", "\ud800", "b.pdf"]))
    assert list(signed.keys) == ["a.pdf", "b.pdf"]
    assert [key for key, _ in signed.failures] == ["\ud800"]


@pytest.mark.parametrize(
    "written",
    [
        pem(rsa_key()).replace("\n", "\\n"),
        pem(rsa_key()).replace("\n", " "),
        json.dumps({"private_key": pem(rsa_key())}),
        json.dumps({"private_key": pem(rsa_key()).replace("\n", " ")}),
        json.dumps({"private_key": pem(rsa_key()).replace("\n", "\\n")}),
    ],
)
def test_a_key_is_read_in_every_form_in_which_secrets_hold_it(written: str) -> None:
    """In one line, or by the console's form, which makes JSON of it and blanks of its line ends."""
    assert private_key(written, "cloudfront").sign(b"policy") == private_key(pem(rsa_key()), "x").sign(b"policy")


LOCKED = rsa_key().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"phrase")
)
OPENSSH = rsa_key().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    "key",
    [
        "nonsense",
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ed25519.Ed25519PrivateKey.generate()),
        LOCKED.decode(),
        OPENSSH.decode().replace("\n", " "),
    ],
    ids=["nonsense", "P-384", "Ed25519", "with a passphrase", "OpenSSH, in one line"],
)
def test_a_secret_without_a_key_for_cloudfront_is_refused_by_name(key: str) -> None:
    """The message does not show its content."""
    with pytest.raises(RetryableError, match="the secret cloudfront") as refused:
        private_key(key, "cloudfront")
    assert key[:40] not in str(refused.value)


def test_without_the_library_that_signs_the_message_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package leaves it out, because it is large and few jobs need it."""
    monkeypatch.setattr("processor.signing.cloudfront.find_spec", lambda _: None)
    with pytest.raises(TerminalError, match=r"presign-siblings\[cloudfront\].*--extra cloudfront"):
        private_key(pem(rsa_key()), "cloudfront")
