"""Repeats of botocore's first list request are signed as botocore signs, and never lose a key."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from processor.aws import apply_settings, open_s3
from processor.errors import RetryableError, SourceRefusedError
from processor.job import DeploymentSettings
from processor.listing import Lister
from processor.listing.repeated_list import RepeatedList
from tests.builders import job_of
from tests.scripted_s3 import FOREVER, Fault, ScriptedS3

KEYS = [f"in/{number:04}.pdf" for number in range(100)]
OWNER = {"EXPECTED_BUCKET_OWNER": "111122223333", "REQUEST_PAYER": "requester"}
JOB = job_of(prefix="in/", page_size=10)
LIST = "ListObjectsV2"


@pytest.fixture
def s3(scripted_s3: ScriptedS3) -> ScriptedS3:
    """Give the server some pages of keys."""
    scripted_s3.keys = KEYS
    return scripted_s3


class Listed:
    """
    A whole listing.

    :param at_page: Called with the client after each page.
    """

    def __init__(
        self,
        s3: ScriptedS3,
        at_page: Any = lambda _client: None,
        environment: dict[str, str] | None = None,
        *,
        ask_ahead: bool = False,
    ) -> None:
        self._ask_ahead = ask_ahead
        self.keys, self.usual, self.slow = list[str](), 0, 0
        asyncio.run(self._run(s3, at_page, DeploymentSettings.from_environment(environment or {}, {})))

    async def _run(self, s3: ScriptedS3, at_page: Any, deployment: DeploymentSettings) -> None:
        async with open_s3(s3.endpoint, 4) as (client, _):
            apply_settings(client, deployment)
            lister = Lister(client, JOB, ())
            lister.requests.on_slow = self._slowed
            client.meta.events.register(f"before-call.s3.{LIST}", self._called)
            async for page in lister.pages(None, None, ask_ahead=self._ask_ahead):
                self.keys += page.keys
                at_page(client)

    def _called(self, **_: object) -> None:
        self.usual += 1

    def _slowed(self) -> None:
        self.slow += 1


def _authorization(s3: ScriptedS3, index: int, *keys: str) -> tuple[str, str]:
    """
    Return a request's signature, and the one that botocore computes for it.

    :param keys: Access key, secret key and token; by default the environment's.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = Credentials(*(keys or [os.environ[name] for name in names]))
    (_, headers), (_, query) = s3.sent[index], s3.queries[index]
    scope, signed, signature = (
        part.partition("=")[2] for part in headers["authorization"].split(" ", 1)[1].split(", ")
    )
    auth = S3SigV4Auth(credentials, "s3", scope.split("/")[2])
    request: Any = AWSRequest("GET", f"{s3.endpoint}/reports", params=query)
    for name in signed.split(";"):
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    return signature, auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


def test_all_requests_but_the_first_are_repeats_signed_as_botocore_signs(s3: ScriptedS3) -> None:
    """They have the deployment's headers, which are signed too."""
    listed = Listed(s3, environment=OWNER)
    assert listed.keys == KEYS
    assert (listed.usual, s3.count(LIST)) == (1, 10)
    for index, (_, headers) in enumerate(s3.sent):
        assert headers["x-amz-expected-bucket-owner"] == "111122223333"
        assert headers["x-amz-request-payer"] == "requester"
        made, expected = _authorization(s3, index)
        assert made == expected
    assert len({headers["amz-sdk-invocation-id"] for _, headers in s3.sent}) == 10


def test_a_second_listing_of_a_client_repeats_the_first_request_too(s3: ScriptedS3) -> None:
    """In a later hop at the desk, whose client stays open, and in each range of a process; for the same bucket."""

    async def run() -> list[int]:
        called, counts = list[object](), list[int]()
        async with open_s3(s3.endpoint, 4) as (client, _):
            client.meta.events.register(f"before-call.s3.{LIST}", lambda **_: called.append(1))
            for bucket in ("reports", "reports", "invoices", "reports"):
                lister = Lister(client, replace(JOB, bucket=bucket), ())
                found = [page async for page in lister.pages(None, None, ask_ahead=False)]
                assert [key for page in found for key in page.keys] == KEYS
                counts.append(len(called))
        return counts

    assert asyncio.run(run()) == [1, 1, 2, 3]


@pytest.mark.parametrize("ask_ahead", [False, True], ids=["one by one", "ahead"])
@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_a_fault_costs_no_key(fault: Fault, *, ask_ahead: bool, s3: ScriptedS3) -> None:
    """After any unusual answer the page is requested once more by botocore."""
    if fault in {Fault.DENIED, Fault.CUSTOMERS_KEY, Fault.NO_BUCKET, Fault.NOT_IMPLEMENTED}:
        s3.inject(LIST, fault, 1, after=3)  # the repeat is refused, botocore's own request is not
    else:
        s3.inject(LIST, fault, 2, after=3)
    listed = Listed(s3, ask_ahead=ask_ahead)
    assert listed.keys == KEYS
    assert listed.usual >= 2


def test_a_refusal_ends_the_listing(s3: ScriptedS3) -> None:
    """The error is that of botocore's own request."""
    s3.inject(LIST, Fault.DENIED, FOREVER, after=3)
    with pytest.raises(SourceRefusedError):
        Listed(s3)
    assert s3.count(LIST) == 5


def test_a_refused_repeat_is_not_tried_again(s3: ScriptedS3) -> None:
    """It would be refused each time, and double the requests."""
    s3.inject(LIST, Fault.DENIED, 1, after=3)
    listed = Listed(s3)
    assert listed.keys == KEYS
    assert s3.count(LIST) == 11
    assert listed.usual == 8


def test_slow_downs_of_repeats_are_counted(s3: ScriptedS3) -> None:
    """As those of botocore's own requests."""
    s3.inject(LIST, Fault.SLOW_DOWN, 3, after=3)
    assert Listed(s3).slow == 3


def test_a_lasting_fault_is_raised(s3: ScriptedS3) -> None:
    """After the usual number of tries."""
    s3.inject(LIST, Fault.INTERNAL, FOREVER, after=3)
    with pytest.raises(RetryableError, match="InternalError"):
        Listed(s3)


def test_the_next_request_is_signed_with_renewed_credentials(s3: ScriptedS3) -> None:
    """A role's keys change within a long listing, and so does its token."""
    renewed = SimpleNamespace(access_key="renewed", secret_key="renewed", token="renewed")

    def renew(client: Any) -> None:
        async def frozen() -> Any:
            return renewed

        client._request_signer._credentials.get_frozen_credentials = frozen

    listed = Listed(s3, renew)
    assert (listed.keys, listed.usual) == (KEYS, 1)
    assert "Credential=ASIATEST" in s3.sent[0][1]["authorization"]
    assert all("Credential=renewed/" in headers["authorization"] for _, headers in s3.sent[1:])
    assert {headers["x-amz-security-token"] for _, headers in s3.sent[1:]} == {"renewed"}
    made, expected = _authorization(s3, -1, "renewed", "renewed", "renewed")
    assert made == expected


def test_renewed_keys_without_a_token_are_sent_without_one(s3: ScriptedS3) -> None:
    """Then the repeated request is built anew."""

    def renew(client: Any) -> None:
        client._request_signer._credentials = _Static("renewed", "renewed")

    listed = Listed(s3, renew)
    assert (listed.keys, listed.usual) == (KEYS, 2)
    assert not any("x-amz-security-token" in headers for _, headers in s3.sent[1:])


async def _see(_: object) -> None:
    """Ignore the body."""


class _Static:
    def __init__(self, access_key: str, secret_key: str) -> None:
        self.access_key, self.secret_key, self.token, self.account_id = access_key, secret_key, None, None

    async def get_frozen_credentials(self) -> _Static:
        return self


def test_requests_with_other_parameters_are_built_anew(s3: ScriptedS3) -> None:
    """Also those with another prefix or page size."""

    async def run() -> list[int]:
        async with open_s3(s3.endpoint, 4) as (client, _):
            repeated, answered = RepeatedList(client, lambda _: None, _see), list[int]()
            asked: dict[str, Any] = {"Bucket": "reports", "Prefix": "", "MaxKeys": 5, "EncodingType": "url"}
            for more in (
                {},
                {},
                {"MaxKeys": 6},
                {"MaxKeys": 6},
                {"MaxKeys": 6, "Prefix": "in/"},
                {"OptionalObjectAttributes": ["RestoreStatus"]},
                {"OptionalObjectAttributes": ["RestoreStatus"], "StartAfter": "in/0009.pdf"},
            ):
                answered.append(await repeated.ask({**asked, **more}) is not None)
                if not answered[-1]:
                    await client.list_objects_v2(**{**asked, **more})
                    await repeated.learn(asked)
            return answered

    assert asyncio.run(run()) == [False, True, False, True, False, False, True]
    assert "x-amz-optional-object-attributes" in s3.sent[-1][1]
    assert s3.queries[-1][1]["start-after"] == "in/0009.pdf"


def test_each_place_is_signed_as_botocore_signs_it(s3: ScriptedS3) -> None:
    """Keys may hold any character, and so may some servers' tokens."""
    rng = random.Random(7)
    alphabet = "".join(map(chr, range(1, 0x180))) + "%+&=?/ ~_.-\u20ac\U0001f4c4"
    places = ["".join(rng.choices(alphabet, k=rng.randrange(1, 30))) for _ in range(300)]

    async def run() -> None:
        async with open_s3(s3.endpoint, 1) as (client, _):
            repeated = RepeatedList(client, lambda _: None, _see)
            asked: dict[str, Any] = {"Bucket": "reports", "Prefix": alphabet, "MaxKeys": 5, "EncodingType": "url"}
            await client.list_objects_v2(**asked)
            await repeated.learn(asked)
            for place in places:
                assert await repeated.ask({**asked, "StartAfter": place}) is not None

    asyncio.run(run())
    for index, place in enumerate(places, 1):
        assert s3.queries[index][1]["start-after"] == place
        assert s3.queries[index][1]["prefix"] == alphabet
        made, expected = _authorization(s3, index)
        assert made == expected
