"""The batch signer's URLs are botocore's, character for character, at the same instant."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor.aws import apply_settings
from processor.job import DeploymentSettings
from processor.signing import open_signer
from processor.signing.signers import BatchSigner
from tests.corpus import AWKWARD_KEYS, FRAGMENTS, MAX_KEY_BYTES, any_key, cut_to_bytes
from tests.oracle import SECRET_KEY, Asynchronous, Clock, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INSTANT = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)
TOKEN = "FwoGZXIvYXdzEBYaD" + ("aB3/+=" * 140)[:783]
KEYS_A_VARIANT = 900
WEEK = 604_800
VIRTUAL, PATH = {"addressing_style": "virtual"}, {"addressing_style": "path"}


@dataclass(frozen=True)
class Variant:
    """One way in which S3 is addressed."""

    name: str
    region: str = "eu-west-1"
    bucket: str = "reports"
    expiry: int = 900
    token: str | None = TOKEN
    endpoint: str | None = None
    s3: dict[str, Any] = field(default_factory=lambda: VIRTUAL, hash=False)
    config: dict[str, Any] = field(default_factory=dict, hash=False)
    response: dict[str, str] = field(default_factory=dict, hash=False)
    environment: dict[str, str] = field(default_factory=dict, hash=False)


VARIANTS = (
    Variant("virtual"),
    Variant("us-east-1", region="us-east-1"),
    Variant("china", region="cn-north-1"),
    Variant("china dual-stack path", region="cn-north-1", s3=PATH, config={"use_dualstack_endpoint": True}),
    Variant("gov", region="us-gov-west-1", token=None),
    Variant("gov fips", region="us-gov-west-1", config={"use_fips_endpoint": True}),
    Variant("fips dual-stack", config={"use_fips_endpoint": True, "use_dualstack_endpoint": True}, region="us-east-1"),
    Variant("dual-stack", config={"use_dualstack_endpoint": True}),
    Variant("accelerate", s3=VIRTUAL | {"use_accelerate_endpoint": True}),
    Variant("path", s3=PATH),
    Variant("no token", token=None),
    Variant("dotted virtual", bucket="reports.example.com"),
    Variant("dotted path", bucket="reports.example.com", s3=PATH),
    Variant("one second", expiry=1),
    Variant("one week", expiry=WEEK, token=None),
    Variant("http port path", endpoint="http://127.0.0.1:9000", s3=PATH),
    Variant("http port virtual", endpoint="http://s3.internal:9000", region="us-east-1"),
    Variant("http default port", endpoint="http://s3.internal:80", s3=PATH, token=None),
    Variant("https default port", endpoint="https://s3.internal:443", s3=PATH),
    Variant("https default port virtual", endpoint="https://s3.internal:443"),
    Variant("https port 80", endpoint="https://s3.internal:80", s3=PATH),
    Variant("upper-case host", endpoint="https://S3.Internal", bucket="reports.example.com", region="cn-north-1"),
    Variant("below a path", endpoint="https://gateway.internal/object-store", s3=PATH, region="us-gov-west-1"),
    Variant("requester pays", environment={"REQUEST_PAYER": "requester"}),
    Variant("requester pays path", environment={"REQUEST_PAYER": "requester"}, s3=PATH, token=None),
    Variant("more in the query", response={"ResponseContentType": "application/pdf", "VersionId": "a/b+c="}),
)
ONE_FOR_EACH_TEST = (VARIANTS[0], VARIANTS[15])


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Freeze botocore's clock; the signer is given the same one."""
    return Clock(INSTANT).freeze(monkeypatch)


@cache
def client_of(variant: Variant) -> Any:
    """Return the variant's client; making one costs more than a hundred URLs."""
    client = make_client(
        variant.region, endpoint=variant.endpoint, token=variant.token, s3=variant.s3, **variant.config
    )

    def add(params: dict[str, Any], **_: Any) -> None:
        params.update(variant.response)

    client.meta.events.register("before-parameter-build.s3.GetObject", add)
    apply_settings(client, DeploymentSettings.from_environment(variant.environment, {}))
    return client


def by_botocore(variant: Variant, keys: Sequence[str]) -> list[str]:
    """Return the URLs that botocore signs, one by one."""
    presign = client_of(variant).generate_presigned_url
    return [
        presign("get_object", Params={"Bucket": variant.bucket, "Key": key}, ExpiresIn=variant.expiry) for key in keys
    ]


async def signer_of(variant: Variant, clock: Clock) -> BatchSigner:
    """Return the variant's signer, which must be the batch signer."""
    signer = await open_signer(
        Asynchronous(client_of(variant)),  # type: ignore[arg-type]
        SECRET_KEY,
        bucket=variant.bucket,
        expiry_seconds=variant.expiry,
        clock=clock,
    )
    assert signer.fallback_reason is None
    assert isinstance(signer, BatchSigner)
    return signer


def by_ours(variant: Variant, batches: Sequence[Sequence[str]], clock: Clock) -> list[str]:
    """Return the URLs that the batch signer gives, batch by batch."""

    async def sign() -> list[str]:
        signer, urls = await signer_of(variant, clock), list[str]()
        for batch in batches:
            signed = await signer.sign(batch)
            assert (list(signed.keys), signed.failures) == (list(batch), [])
            urls += signed.urls
        return urls

    return asyncio.run(sign())


def batches_of(keys: Sequence[str], chance: random.Random) -> Iterator[Sequence[str]]:
    """Cut keys into batches of every size, single keys among them."""
    start = 0
    while start < len(keys):
        size = chance.choice((1, 2, 3, 10, 100))
        yield keys[start : start + size]
        start += size


def plain_key(chance: random.Random) -> str:
    """Return a key that needs no escape, so the signer does not quote it; some have a line's end in them."""
    return "".join(chance.choices("aZ09/._-~", k=chance.randrange(1, 20))) + ("\n" if chance.random() < 0.02 else "")


@pytest.mark.no_cover
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_generated_keys_are_signed_as_botocore_signs_them(variant: Variant, clock: Clock) -> None:
    """Awkward, random and plain keys, in batches of every size."""
    chance = random.Random(variant.name)
    keys = [*AWKWARD_KEYS, *(any_key(chance) for _ in range(KEYS_A_VARIANT - 200))]
    keys += [plain_key(chance) for _ in range(KEYS_A_VARIANT - len(keys))]
    assert by_ours(variant, list(batches_of(keys, chance)), clock) == by_botocore(variant, keys)


def test_at_least_twenty_thousand_keys_are_generated() -> None:
    """All variants together reach the promised number, and the longest key is among them."""
    assert len(VARIANTS) * KEYS_A_VARIANT >= 20_000
    chance = random.Random(1)
    lengths = [len(any_key(chance).encode()) for _ in range(KEYS_A_VARIANT - 200)]
    assert max(lengths) == MAX_KEY_BYTES


KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=12).map("".join),
    st.text("ab\n/", min_size=1, max_size=6),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(
        lambda key: cut_to_bytes(key * MAX_KEY_BYTES, MAX_KEY_BYTES)
    ),
)


@pytest.mark.parametrize("variant", ONE_FOR_EACH_TEST, ids=lambda variant: variant.name)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(KEYS, max_size=5))
def test_any_batch_is_signed_as_botocore_signs_it(variant: Variant, clock: Clock, batch: list[str]) -> None:
    """Whatever keys are in a batch, or none, no key changes another's URL."""
    assert by_ours(variant, [batch], clock) == by_botocore(variant, batch)
