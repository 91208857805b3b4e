"""The current keys, from whatever source."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, InvalidRegionError
from botocore.parsers import ResponseParserError

from processor.aws import credentials, credentials_end, frozen
from processor.aws.signing_credentials import SigningCredentials
from processor.errors import RetryableError


@pytest.mark.parametrize(
    "error",
    [ResponseParserError("invalid XML received: b'<SecretAccessKey>s3cr3t</SecretAccessKey'"), KeyError("Expiration")],
)
def test_an_answer_without_credentials_is_reported_and_never_shown(error: Exception) -> None:
    """A truncated answer of STS for a profile with a role was in a traceback, with the role's secret key."""

    def ask() -> None:
        raise error

    found = SimpleNamespace(method="assume-role", get_frozen_credentials=ask)
    with pytest.raises(CredentialRetrievalError, match="assume-role: its answer holds no credentials") as raised:
        frozen(found)
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value, chain=False))
    assert raised.value.__suppress_context__


def test_a_setting_that_botocore_refuses_is_reported_as_botocore_names_it() -> None:
    """A region with a blank is no fault of the source of the credentials."""

    def ask() -> None:
        raise InvalidRegionError(region_name="eu west 1")

    with pytest.raises(InvalidRegionError, match="eu west 1"):
        frozen(SimpleNamespace(method="assume-role", get_frozen_credentials=ask))


@pytest.mark.parametrize("text", ["AKIA s3cr3t", '["AKIA", "s3cr3t"]', "7", "null"])
def test_a_secret_that_is_no_json_object_is_refused_and_not_shown(text: str) -> None:
    """As a person pastes two keys."""
    with pytest.raises(RetryableError, match="the signing secret signer is not a JSON object of strings") as raised:
        credentials.secret_credentials("signer", text)
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value, chain=False))


def test_a_secret_in_binary_is_reported_as_one_without_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are in its text."""
    monkeypatch.setattr(credentials, "check_answers", lambda _: None)
    binary: Any = SimpleNamespace(get_secret_value=lambda **_: {"SecretBinary": b"s3cr3t"})
    with pytest.raises(RetryableError, match="the secret signer holds no text"):
        credentials.secret_text(binary, "signer")


def test_a_role_that_may_not_be_assumed_is_named_and_the_event_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trust policy may come later; a session of an hour is all that a function's role may ask for."""
    monkeypatch.setattr(credentials, "check_answers", lambda _: None)
    asked = list[int]()

    def refuse(DurationSeconds: int, **_: object) -> None:  # noqa: N803 - boto3's
        asked.append(DurationSeconds)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "AssumeRole")

    client: Any = SimpleNamespace(assume_role=refuse)
    with pytest.raises(RetryableError, match=r"cannot assume arn:aws:iam::1:role/signer for signing: .*not authorized"):
        credentials.role_credentials(client, "arn:aws:iam::1:role/signer")
    assert asked == [3600]


def test_the_keys_are_not_shown_where_the_credentials_are() -> None:
    """A traceback or a message may show the value that holds them; a key's id alone signs nothing."""
    assert "s3cr3t" not in repr(SigningCredentials("AKIA", "s3cr3t", "s3cr3t-token"))


def test_an_answer_from_a_server_in_between_is_neither_a_secret_nor_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both clients refuse what does not come from the service (tests/unit/test_answers.py), before they ask."""
    checked = list[object]()
    monkeypatch.setattr(credentials, "check_answers", checked.append)
    keys = {"AccessKeyId": "ASIA", "SecretAccessKey": "s3cr3t", "SessionToken": "t", "Expiration": None}
    secrets: Any = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": str(checked == [secrets])})
    roles: Any = SimpleNamespace(
        assume_role=lambda **_: {"Credentials": {**keys, "SessionToken": str(checked[1:] == [roles])}}
    )
    assert credentials.secret_text(secrets, "signer") == "True"
    assert credentials.role_credentials(roles, "arn").token == "True"


def test_the_end_of_a_session_is_in_utc_whatever_offset_its_source_writes() -> None:
    """saml2aws writes local time: with +02:00, a manifest promised its links for two hours more than they lived."""
    found = SimpleNamespace(_expiry_time=datetime.fromisoformat("2026-04-01T14:00:00+02:00"))
    client: Any = SimpleNamespace(_request_signer=SimpleNamespace(_credentials=found))
    end = credentials_end(client, None)
    assert end is not None
    assert (end.tzinfo, end.hour) == (UTC, 12)
