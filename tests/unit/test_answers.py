"""Invalid answers, which systems between a client and AWS send with status 200, or with their own 502."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError

from processor.answers import MALFORMED, check_answers
from processor.causes import why
from processor.errors import error_code, is_of_server

if TYPE_CHECKING:
    from collections.abc import Iterator

XHTML = b'<?xml version="1.0"?>\n<html><head><title>Sign in</title></head><body/></html>'
HTML = b"<!DOCTYPE html><html><body><p>Sign in<br></body></html>"
JSON = b'{"message": "upstream connect error"}'
OBJECT = {"Bucket": "reports", "Key": "manifests/a.jsonl"}
PART: dict[str, Any] = {**OBJECT, "UploadId": "u", "PartNumber": 1}
QUERY: dict[str, Any] = {"MetricDataQueries": [], "StartTime": "2026-04-01", "EndTime": "2026-04-01"}
ROW: dict[str, Any] = {"TableName": "jobs", "Key": {"job_key": {"S": "j"}}}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "list_objects_v2", {"Bucket": "reports"}),
    ("s3", "create_multipart_upload", OBJECT),
    ("s3", "upload_part", PART),
    ("s3", "upload_part_copy", {**PART, "CopySource": "reports/a"}),
    ("s3", "complete_multipart_upload", {**OBJECT, "UploadId": "u"}),
    ("s3", "head_object", OBJECT),
    ("s3", "get_object", OBJECT),
    ("dynamodb", "get_item", ROW),
    ("dynamodb", "put_item", {"TableName": "jobs", "Item": {"job_key": {"S": "j"}}}),
    ("dynamodb", "update_item", ROW),
    ("cloudwatch", "get_metric_data", QUERY),
    ("events", "put_events", {"Entries": []}),
    ("events", "describe_rule", {"Name": "nightly"}),
    ("events", "list_rule_names_by_target", {"TargetArn": "arn"}),
    ("scheduler", "get_schedule", {"Name": "nightly"}),
    ("lambda", "get_function_recursion_config", {"FunctionName": "presign"}),
    ("sts", "assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/signer", "RoleSessionName": "signing"}),
]


class Raw(io.BytesIO):
    """A body with urllib3's interface."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def ask(
    service: Any, operation: str, request: dict[str, Any], *answers: tuple[int, bytes, dict[str, str]]
) -> tuple[Any, int]:
    """Call an operation whose tries get these answers, the last one repeated; return its answer, and the tries."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3}, region_name="eu-west-1", parameter_validation=False
    )
    client = boto3.client(service, config=config, aws_access_key_id="AKID", aws_secret_access_key="secret")
    check_answers(client)
    sent: list[int] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        status, body, headers = answers[min(len(sent), len(answers) - 1)]
        sent.append(status)
        named = HTTPHeaders()
        for name, value in headers.items():
            named[name] = value
        return AWSResponse(request.url, status, named, Raw(body))

    client.meta.events.register("before-send", answer)
    try:
        return getattr(client, operation)(**request), len(sent)
    except ClientError as error:
        return error, len(sent)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make botocore's backoff take no time."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.mark.parametrize("body", [b"", HTML, XHTML, JSON], ids=["nothing", "HTML", "XHTML", "JSON"])
@pytest.mark.parametrize(("service", "operation", "request_"), CALLS, ids=[f"{s} {o}" for s, o, _ in CALLS])
def test_an_invalid_answer_is_a_fault_that_is_retried(
    service: str, operation: str, request_: dict[str, Any], body: bytes
) -> None:
    """A foreign 200 ended a listing at its 22nd of 467 keys: on every operation it is a fault of the network."""
    error, tries = ask(service, operation, request_, (200, body, {"Content-Type": "text/html"}))
    assert isinstance(error, ClientError)
    assert tries == 3
    assert error_code(error) == MALFORMED or body in {HTML, JSON}  # botocore itself detects truncated XML


@pytest.mark.parametrize("body", [JSON, b"<ListBucketResult><Contents><Key>a", b"\x1f\x8bpacked"])
def test_an_unreadable_listing_is_reported_with_the_answer_received(body: bytes) -> None:
    """Botocore gives it the status 500, which is not in the server's log."""
    error, tries = ask("s3", "list_objects_v2", {"Bucket": "reports"}, (200, body, {"Content-Type": "text/plain"}))
    assert tries == 3
    assert f"status 200 with {len(body)} bytes of text/plain, which is not an answer to ListObjectsV2" in why(error)


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("encoding", ["Shift_JIS", "x-unknown"])
@pytest.mark.parametrize(("service", "operation", "request_"), CALLS, ids=[f"{s} {o}" for s, o, _ in CALLS])
def test_a_page_in_an_encoding_that_xml_parsers_lack_is_invalid_too(
    service: str, operation: str, request_: dict[str, Any], encoding: str, status: int
) -> None:
    """Python's parser then raises errors of other kinds; they ended the hop, without another try."""
    page = f'<?xml version="1.0" encoding="{encoding}"?><html><body>Sign in</body></html>'.encode()
    error, tries = ask(service, operation, request_, (status, page, {"Content-Type": "text/html"}))
    assert isinstance(error, ClientError)
    assert tries == 3


def test_an_object_without_a_size_is_an_invalid_answer() -> None:
    """A proxy that sends in chunks omits the size, which shows whether the manifest is complete."""
    error, tries = ask("s3", "head_object", OBJECT, (200, b"", {"ETag": '"e"'}))
    assert (error_code(error), tries) == (MALFORMED, 3)
    assert "without ContentLength" in str(error)


def test_one_invalid_answer_among_valid_ones_changes_nothing() -> None:
    """The next try gets the valid one."""
    good = b'{"State": "ENABLED", "Name": "nightly"}'
    answer, tries = ask("events", "describe_rule", {"Name": "nightly"}, (200, XHTML, {}), (200, good, {}))
    assert (answer["State"], tries) == ("ENABLED", 2)


@pytest.mark.parametrize("status", [502, 503])
def test_a_gateways_own_error_page_has_its_status_as_its_code(status: int) -> None:
    """Botocore's parser of CloudWatch raises an unexpected error for an error that is not XML."""
    error, tries = ask("cloudwatch", "get_metric_data", QUERY, (status, HTML, {"Content-Type": "text/html"}))
    assert error_code(error) == str(status)
    assert tries == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "ConditionalRequestConflict"),
        (409, "OperationAborted"),
        (429, "ServiceUnavailable"),
        (429, "TooManyRequests"),
    ],
)
def test_a_store_that_refuses_for_now_in_its_own_words_is_asked_again(status: int, code: str) -> None:
    """AWS documents it for its 409, other stores for their 429. A 409 cost a hop with all that it had listed."""
    refused: Any = (status, f"<Error><Code>{code}</Code><Message>Please try again.</Message></Error>".encode(), {})
    refused[2]["x-amz-bucket-region"] = "eu-west-1"  # as S3 names it
    request = {**OBJECT, "Body": b"lines", "IfNoneMatch": "*"}
    answer, tries = ask("s3", "put_object", request, refused, (200, b"", {"ETag": '"e"'}))
    assert (answer["ETag"], tries) == ('"e"', 2)
    error, tries = ask("s3", "put_object", request, refused)
    assert (error_code(error), tries) == (code, 3)


def test_a_throttled_invoke_counts_as_a_refusal() -> None:
    """Lambda has accepted nothing; as a server error it would be reported as a sibling that may have begun."""
    reason = b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}'
    refused = (429, reason, {"x-amzn-ErrorType": "TooManyRequestsException"})
    error, _ = ask("lambda", "invoke", {"FunctionName": "presign"}, refused)
    assert (error_code(error), is_of_server(error)) == ("TooManyRequestsException", False)


@pytest.mark.parametrize("status", [302, 304, 307, 408, 429])
def test_a_temporary_error_of_the_network_is_retried(status: int) -> None:
    """A sign-in page of the network, a cache, an overloaded proxy: S3 sent none of these."""
    answers = [
        (status, HTML, {"Location": "http://portal.example/"}),
        (200, b"", {"ETag": '"e"', "Content-Length": "4"}),
    ]
    answer, tries = ask("s3", "head_object", OBJECT, *answers)
    assert (answer["ETag"], tries) == ('"e"', 2)


@pytest.mark.parametrize("date", ["", "yesterday", "0000-00-00"])
def test_an_invalid_date_stops_no_job(date: str) -> None:
    """Botocore raises an unexpected ``ValueError`` for it, although the date is not needed here."""
    assert (
        ask("s3", "head_object", OBJECT, (200, b"", {"ETag": '"e"', "Last-Modified": date, "Content-Length": "4"}))[1]
        == 1
    )
    copied = f"<CopyPartResult><LastModified>{date}</LastModified><ETag>e</ETag></CopyPartResult>".encode()
    answer, _ = ask("s3", "upload_part_copy", {**PART, "CopySource": "reports/a"}, (200, copied, {}))
    assert answer["CopyPartResult"] == {"ETag": "e"}


@pytest.mark.parametrize("body", [b"", HTML, b"<Error><Code>PermanentRedirect</Code></Error>"])
def test_a_redirect_without_a_region_is_an_answer(body: bytes) -> None:
    """Botocore asked for the region by a HEAD, which is redirected too, until Python's stack overflowed."""
    error, tries = ask("s3", "get_object", OBJECT, (301, body, {"Location": "https://store.example/"}))
    assert isinstance(error, ClientError)
    assert tries == 1
    assert "301" in str(error) or error_code(error) == "PermanentRedirect"


def test_a_refusal_that_is_not_from_s3_is_reported_as_such() -> None:
    """A firewall's 403 is not about rights on the bucket."""
    error, _ = ask("s3", "list_objects_v2", {"Bucket": "reports"}, (403, HTML, {"Content-Type": "text/html"}))
    assert error_code(error) == "403"
    assert f"status 403 with {len(HTML)} bytes of text/html, which is not an answer" in why(error)
    assert "a firewall or another server may have answered" in why(error)


def test_a_put_answered_by_a_page_counts_as_failed() -> None:
    """S3 answers a PUT with an ETag and no body; some stores omit the ETag."""
    request = {**OBJECT, "Body": b"line"}
    assert error_code(ask("s3", "put_object", request, (200, HTML, {}))[0]) == MALFORMED
    assert ask("s3", "put_object", request, (200, b"", {}))[1] == 1


def test_a_missing_row_is_a_valid_answer() -> None:
    """DynamoDB sends an empty object for it."""
    answer, tries = ask("dynamodb", "get_item", ROW, (200, b"{}", {}))
    assert ("Item" in answer, tries) == (False, 1)


def test_the_message_describes_the_answer_received() -> None:
    """Its reader looks for the proxy."""
    error, _ = ask("events", "put_events", {"Entries": []}, (200, XHTML, {"Content-Type": "text/html"}))
    message = error.response["Error"]["Message"]
    assert message == f"status 200 with {len(XHTML)} bytes of text/html, which is not an answer to PutEvents"


def test_an_answer_to_an_ignored_copy_is_recognised() -> None:
    """It is that of an uploaded part, with an ETag; the composer then copies nothing in this store."""
    request = {**PART, "CopySource": "reports/a"}
    answer, tries = ask("s3", "upload_part_copy", request, (200, b"", {"ETag": '"d41d8cd9"'}))
    assert not isinstance(answer, ClientError)
    assert tries == 1


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_operation_without_output_may_have_any_answer(body: bytes) -> None:
    """EventBridge sends an empty body."""
    answer, tries = ask("events", "enable_rule", {"Name": "nightly"}, (200, body, {}))
    assert not isinstance(answer, ClientError)
    assert tries == 1
    assert isinstance(ask("events", "enable_rule", {"Name": "nightly"}, (200, HTML, {}))[0], ClientError)
