"""When botocore signs in place of the batch signer, the date of each batch, and the effect of a bad key."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from processor.aws import open_s3
from processor.job import ResponseHeaders
from processor.signing import Signer, open_signer
from processor.signing.signers import BatchSigner, Signed
from tests.corpus import AWKWARD_KEYS
from tests.oracle import SECRET_KEY, Asynchronous, Clock, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BUCKET, EXPIRY = "reports", 900
BEFORE_MIDNIGHT = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
LONE_SURROGATE = "half\ud800.pdf"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Freeze botocore's clock; the signer is given the same one."""
    return Clock(BEFORE_MIDNIGHT).freeze(monkeypatch)


def presigned(client: Any, keys: Sequence[str]) -> list[str]:
    """Return botocore's own URLs."""
    sign = client.generate_presigned_url
    return [sign("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=EXPIRY) for key in keys]


async def open_with(client: Any, clock: Clock, secret_key: str = SECRET_KEY) -> Signer:
    """Open the signer that the code under test chooses."""
    return await open_signer(client, secret_key, bucket=BUCKET, expiry_seconds=EXPIRY, clock=clock)


def sign(client: Any, clock: Clock, keys: Sequence[str], secret_key: str = SECRET_KEY) -> tuple[Signer, Signed]:
    """Open the signer and sign one batch."""

    async def run() -> tuple[Signer, Signed]:
        signer = await open_with(client, clock, secret_key)
        return signer, await signer.sign(keys)

    return asyncio.run(run())


def client_with_another_signed_header() -> Any:
    """Return a client whose presigned URLs cover a header beside the host."""
    client = make_client()

    def add(params: dict[str, Any], **_: Any) -> None:
        params["ExpectedBucketOwner"] = "000000000000"

    client.meta.events.register("before-parameter-build.s3.GetObject", add)
    return client


@pytest.mark.parametrize(
    ("make", "secret_key", "reason"),
    [
        (client_with_another_signed_header, SECRET_KEY, "the probe is not a URL with a SigV4 query signature"),
        (
            partial(make_client, signature_version="s3"),
            SECRET_KEY,
            "the probe is not a URL with a SigV4 query signature",
        ),
        (make_client, "another secret", "the probe's signature differs from botocore's"),
    ],
    ids=["another signed header", "SigV2", "another secret"],
)
def test_botocore_signs_every_key_when_the_probe_differs(
    make: Callable[[], Any], secret_key: str, reason: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason for the fallback is given, to be logged."""
    monkeypatch.setattr("botocore.auth.time", SimpleNamespace(time=lambda: 1_780_000_000.0))  # SigV2's clock
    client = make()
    counted = Asynchronous(client)
    signer, signed = sign(counted, clock, AWKWARD_KEYS, secret_key)
    assert signer.fallback_reason == reason
    assert counted.presigned == 1 + len(AWKWARD_KEYS)
    assert (signed.keys, list(signed.urls), signed.failures) == (
        list(AWKWARD_KEYS),
        presigned(client, AWKWARD_KEYS),
        [],
    )


@pytest.mark.parametrize("secret_key", [SECRET_KEY, "another secret"], ids=["batch signer", "botocore"])
def test_either_signer_pins_versions_and_numbers_the_files_that_have_a_line(secret_key: str, clock: Clock) -> None:
    """A key that cannot be signed has no line, so the next one takes its number."""
    versions = {"a.pdf": "v/1", LONE_SURROGATE: "v2", "b.pdf": "v3"}

    async def run() -> list[str]:
        signer = await open_signer(
            Asynchronous(make_client()),  # type: ignore[arg-type]
            secret_key,
            bucket=BUCKET,
            expiry_seconds=EXPIRY,
            clock=clock,
            headers=ResponseHeaders(filename="{n}.{ext}"),
            pins=True,
        )
        assert (signer.fallback_reason is None) is (secret_key == SECRET_KEY)
        return list((await signer.sign(list(versions), first=7, versions=versions)).urls)

    queries = [parse_qs(urlsplit(url).query) for url in asyncio.run(run())]
    assert [query["response-content-disposition"] for query in queries] == [
        ['attachment; filename="7.pdf"'],
        ['attachment; filename="8.pdf"'],
    ]
    assert [query["versionId"] for query in queries] == [["v/1"], ["v3"]]


def test_the_batch_signer_asks_botocore_once(clock: Clock) -> None:
    """The probe is the only URL that botocore signs, whatever the number of keys."""
    counted = Asynchronous(make_client())
    signer, signed = sign(counted, clock, AWKWARD_KEYS)
    assert isinstance(signer, BatchSigner)
    assert (counted.presigned, len(signed.urls)) == (1, len(AWKWARD_KEYS))


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_key_that_cannot_be_signed_stops_no_other(version: str, place: int, clock: Clock) -> None:
    """A lone surrogate is reported by itself; its neighbours are signed as if it were absent."""
    client = make_client(signature_version=version)
    good = ["a b.pdf", "plain.pdf"]
    signer, signed = sign(Asynchronous(client), clock, [*good[:place], LONE_SURROGATE, *good[place:]])
    assert (signer.fallback_reason is None) is (version == "s3v4")
    assert list(signed.keys) == good
    assert [urlsplit(url).path for url in signed.urls] == ["/a%20b.pdf", "/plain.pdf"]
    assert [(key, "Error" in reason) for key, reason in signed.failures] == [(LONE_SURROGATE, True)]
    if version == "s3v4":
        assert list(signed.urls) == presigned(client, good)


@pytest.mark.parametrize(
    "steps",
    [[0, 0], [0.4, 0.9], [0, 1], [0.999999, 1.0], [1, 2, 86_400], [0, 60, 3600, -1]],
    ids=["stopped", "within a second", "next second", "midnight", "days", "and back"],
)
def test_each_batch_carries_its_own_date(steps: list[float], clock: Clock) -> None:
    """When the clock moves on, to another second or over midnight UTC, the next batch is signed for that instant."""
    client, keys = make_client(token="t/o+k="), list(AWKWARD_KEYS[:8])

    async def run() -> list[str]:
        signer = await open_with(Asynchronous(client), clock)
        assert signer.fallback_reason is None
        dates = []
        for step in steps:
            clock.now = BEFORE_MIDNIGHT + timedelta(seconds=step)
            urls = list((await signer.sign(keys)).urls)
            assert urls == presigned(client, keys)
            dates += parse_qs(urlsplit(urls[0]).query)["X-Amz-Date"]
        return dates

    dates = asyncio.run(run())
    assert dates == [f"{BEFORE_MIDNIGHT + timedelta(seconds=int(step)):%Y%m%dT%H%M%SZ}" for step in steps]


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9000"], ids=["AWS", "custom endpoint"])
def test_the_real_client_gets_the_batch_signer(endpoint: str | None, clock: Clock) -> None:
    """The asynchronous client that the Lambda opens, with its own secret, needs no fallback."""

    async def run() -> tuple[str | None, list[str], list[str]]:
        async with open_s3(endpoint, 4) as (client, secret_key):
            signer = await open_with(client, clock, secret_key)
            theirs = [
                await client.generate_presigned_url(
                    "get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=EXPIRY
                )
                for key in AWKWARD_KEYS
            ]
            return signer.fallback_reason, list((await signer.sign(AWKWARD_KEYS)).urls), theirs

    reason, ours, theirs = asyncio.run(run())
    assert reason is None
    assert ours == theirs
    host = "http://127.0.0.1:9000/reports/" if endpoint else "https://reports.s3.eu-west-1.amazonaws.com/"
    assert ours[0].startswith(host)
