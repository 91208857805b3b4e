"""Other credentials sign in place of the function's own: an IAM user's from a secret, or an assumed role's."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from processor.chain import signing_secrets
from processor.errors import RetryableError
from tests.conftest import NOW, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    from tests.output import Output

    Handler = Callable[..., dict[str, Any]]

USER = {"aws_access_key_id": "AKIAUSERUSERUSERUSER", "aws_secret_access_key": "dXNlcnNlY3JldHVzZXJzZWNyZXQ"}
WEEK = 604_800


@pytest.fixture
def secret(aws: str) -> Iterator[str]:
    """Keep an IAM user's keys, pasted with blanks, where the stack keeps them; another secret's name begins alike."""
    assert aws
    boto3.setup_default_session()
    client = boto3.client("secretsmanager")
    pasted = {field: f" {text}\n" for field, text in USER.items()}
    for name, value in {"autotest_signer": pasted, "autotest_signer_of_others": {"unlike": "it"}}.items():
        client.create_secret(Name=name, SecretString=json.dumps(value))
    yield "autotest_signer"
    for name in ("autotest_signer", "autotest_signer_of_others"):
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def signed(s3: S3Client, bucket: str, body: dict[str, Any]) -> list[dict[str, str]]:
    """Return the query of each URL in a manifest, and last of the manifest's own URL."""
    lines = s3.get_object(Bucket=bucket, Key=body["manifest_key"])["Body"].read().splitlines()
    urls = [json.loads(line)["url"] for line in lines] + [body["manifest_url"]]
    return [{name: value for name, (value,) in parse_qs(urlsplit(url).query).items()} for url in urls]


def test_an_iam_users_keys_sign_for_a_week(
    handler: Handler, s3: S3Client, bucket: str, secret: str, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    """Each URL and the manifest's own; without a session token, and no part of the secret is logged."""
    monkeypatch.setenv("SIGNING_SECRET", secret)
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    body = handler({"bucket": bucket, "expiry_seconds": WEEK})["body"]
    for query in signed(s3, bucket, body):
        assert query["X-Amz-Credential"].startswith("AKIAUSERUSERUSERUSER/")
        assert query["X-Amz-Expires"] == str(WEEK)
        assert "X-Amz-Security-Token" not in query
    assert datetime.fromisoformat(body["expires_at"]) == NOW + timedelta(seconds=WEEK)
    assert "dXNlcnNlY3JldHVzZXJzZWNyZXQ" not in output.getvalue()


@pytest.mark.parametrize(("seconds", "own", "warns"), [(WEEK, "43200", True), (43_200, "43200", False)])
def test_a_warning_says_that_links_of_a_session_may_expire_sooner(
    handler: Handler,
    s3: S3Client,
    bucket: str,
    seconds: int,
    own: str,
    warns: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The end of a role's session is unknown; 12 hours at most are signed into manifest_url."""
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    body = handler({"bucket": bucket, "expiry_seconds": seconds})["body"]
    assert ("session_ends: a role's session" in body.get("warning", "")) is warns
    assert signed(s3, bucket, body)[-1]["X-Amz-Expires"] == own


def test_an_assumed_role_limits_the_promised_expiry(
    handler: Handler, s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Role chaining gives an hour, whatever ``expiry_seconds`` is; after it, each URL is dead."""
    boto3.setup_default_session()
    end = (NOW + timedelta(hours=1)).replace(tzinfo=UTC)
    real = signing_secrets.role_credentials  # type: ignore[attr-defined]
    monkeypatch.setenv("SIGNING_ROLE_ARN", "arn:aws:iam::123456789012:role/signer")
    monkeypatch.setattr(signing_secrets, "role_credentials", lambda *asked: _ending(real(*asked), end))
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    body = handler({"bucket": bucket, "expiry_seconds": WEEK})["body"]
    first, own = signed(s3, bucket, body)
    assert first["X-Amz-Credential"].startswith("ASIA")
    assert first["X-Amz-Credential"].split("/")[0] == own["X-Amz-Credential"].split("/")[0]
    assert first["X-Amz-Security-Token"]
    assert datetime.fromisoformat(body["expires_at"]) == end
    assert own["X-Amz-Expires"] == "3600"


def _ending(credentials: Any, end: datetime) -> Any:
    """Check the real end of the session, and replace it by one on the handler's clock."""
    from dataclasses import replace  # noqa: PLC0415 - here alone

    assert timedelta(minutes=59) < credentials.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    return replace(credentials, expires_at=end)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "ResourceNotFoundException"),
        ({"aws_access_key_id": "AKIA"}, "lacks"),
        ("plain", "is not a JSON"),
        ({**USER, "aws_secret_access_key": None}, "is not a JSON object of strings"),
        ({**USER, "aws_secret_access_key": " "}, "holds an empty aws_secret_access_key"),
        ({**USER, "aws_access_key_id": "ASIAPLAINPLAINPLAIN1"}, "keys of a session"),
    ],
)
def test_a_secret_that_cannot_sign_is_reported_and_the_event_is_retried(
    handler: Handler, bucket: str, secret: str, monkeypatch: pytest.MonkeyPatch, value: Any, rule: str
) -> None:
    """By name and rule, without its content."""
    name = "autotest_none"
    monkeypatch.setenv("SIGNING_SECRET", name)
    client = boto3.client("secretsmanager")
    if value is not None:
        client.create_secret(Name=name, SecretString=value if isinstance(value, str) else json.dumps(value))
    with pytest.raises(RetryableError, match=rule) as raised:
        handler({"bucket": bucket})
    assert name in str(raised.value)
    assert "plain" not in str(raised.value).lower()
    if value is not None:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert secret


@pytest.mark.parametrize("setting", ["SIGNING_SECRET", "SIGNING_ROLE_ARN"])
def test_a_service_that_does_not_answer_is_reported_within_the_shortest_timeout(
    handler: Handler, bucket: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a VPC without an endpoint of the service, the function's timeout came first, and the log did not say why."""
    boto3.setup_default_session()
    monkeypatch.setenv(setting, "arn:aws:iam::123456789012:role/signer")
    asked: list[tuple[str, float]] = []

    def unreachable(service: Any, config: Any) -> Any:
        tries = config.retries["total_max_attempts"]
        asked.append((service, tries * max(config.connect_timeout, config.read_timeout)))
        return boto3.Session().client(service, endpoint_url="http://127.0.0.1:9", config=config)

    monkeypatch.setattr(signing_secrets.boto3, "client", unreachable)  # type: ignore[attr-defined]
    with pytest.raises(RetryableError, match=r"http://127\.0\.0\.1:9 failed"):
        handler({"bucket": bucket})
    ((_, longest),) = asked
    assert longest <= 15


def test_the_function_reads_only_its_own_secret(
    handler: Handler, bucket: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other secrets' names begin alike; the role may not read them, or they hold no text."""
    client = boto3.client("secretsmanager")
    client.create_secret(Name=f"{secret}_in_binary", SecretBinary=b"key")
    monkeypatch.setenv("SIGNING_SECRET", secret)
    assert handler({"bucket": bucket})["body"]["status"] == "complete"
    client.delete_secret(SecretId=f"{secret}_in_binary", ForceDeleteWithoutRecovery=True)


def test_no_log_line_of_a_library_holds_a_token_or_a_secret(
    handler: Handler,
    s3: S3Client,
    bucket: str,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the function's log level DEBUG, Lambda sets it on the root logger, and so on botocore's."""
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    monkeypatch.setenv("SIGNING_SECRET", secret)
    with caplog.at_level(logging.DEBUG):
        handler({"bucket": bucket})
    for hidden in (TOKEN, USER["aws_secret_access_key"], "X-Amz-Signature", "StringToSign"):
        assert hidden not in caplog.text


def test_credentials_with_a_known_end_limit_the_promised_expiry(
    handler: Handler, s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a container or of SnapStart have one; those in Lambda's environment do not."""
    end = NOW + timedelta(minutes=40)
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    event = {"bucket": bucket, "expiry_seconds": 43_200}
    assert datetime.fromisoformat(handler(event)["body"]["expires_at"]) == NOW + timedelta(hours=12)
    monkeypatch.setattr("aiobotocore.credentials.AioCredentials._expiry_time", end, raising=False)
    body = handler({**event, "expiry_seconds": 43_201})["body"]
    assert datetime.fromisoformat(body["expires_at"]) == end


def test_urls_name_the_public_host_of_a_store_while_requests_go_to_the_inner_one(
    handler: Handler, s3: S3Client, bucket: str, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest's own URL too, each time that the job is asked for: its recipient is outside."""
    monkeypatch.setenv("URL_ENDPOINT", "https://files.example.com")
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    body = handler({"bucket": bucket})["body"]
    (line,) = s3.get_object(Bucket=bucket, Key=body["manifest_key"])["Body"].read().splitlines()
    expected = f"https://files.example.com/{bucket}/"
    assert json.loads(line)["url"].startswith(f"{expected}a.pdf?")
    assert body["manifest_url"].startswith(expected)
    monkeypatch.setenv("JOBS_TABLE", table.name)
    again = [handler({"bucket": bucket})["body"] for _ in range(2)]
    assert len({answer["manifest_key"] for answer in again}) == 1, "the ledger answers"
    assert all(answer["manifest_url"].startswith(expected) for answer in again)
