"""
Answers that do not come from AWS: what a proxy, an appliance or another server sends in its place, with status 200.

botocore reads an empty body, or a page of HTML, as an answer in which everything is missing: a listing that has ended,
an upload without an id, a record that is not there. ``check_answers`` turns each into a server's fault, which botocore
tries again, and which ends as a ``ClientError`` with the code ``MalformedAnswer``.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

from botocore.utils import parse_timestamp

from processor.causes import BUCKET_REGION, FOREIGN

MALFORMED = "MalformedAnswer"
_FAULT = 500  # what botocore retries, and sees by the status
_OK = range(200, 300)
# Without a code of the service's own: a proxy or a network says "not now", which another try may not meet.
# S3 itself names the bucket's region where it sends a client elsewhere.
_PASSING, _ELSEWHERE = frozenset({304, 408, 425, 429}), frozenset({302, 303, 307})
NOT_NOW = frozenset({429, 500, 502, 503, 504})  # statuses of a server that may answer otherwise in a moment
_BUSY = 429  # S3 itself says 503; other stores name it as they like. Lambda's must stay a refusal: it has done nothing.
# Another write of the same key is under way: mostly the first try of this one, whose answer was lost.
_UNDECIDED = frozenset({"ConditionalRequestConflict", "OperationAborted"})
_ERRORS = frozenset({"Error", "ErrorResponse"})
# An answer has at least one of these members. ``KeyCount``: some servers leave out the other two.
_MEMBERS: dict[str, tuple[str, ...]] = {
    "ListObjectsV2": ("IsTruncated", "NextContinuationToken", "KeyCount"),
    "ListObjectVersions": ("IsTruncated", "NextKeyMarker"),
    "HeadObject": ("ETag", "LastModified"),
    "GetObject": ("ETag", "LastModified"),
    "CreateMultipartUpload": ("UploadId",),
    "UploadPart": ("ETag",),
    "UploadPartCopy": ("CopyPartResult",),
    "CompleteMultipartUpload": ("ETag", "Location", "Key", "Bucket"),
    "UpdateItem": ("Attributes",),  # every update here asks for them
    "GetMetricData": ("MetricDataResults",),
    "PutEvents": ("Entries",),
    "ListRuleNamesByTarget": ("RuleNames",),
    "DescribeRule": ("State",),
    "GetSchedule": ("State",),
    "GetFunctionRecursionConfig": ("RecursiveLoop",),
    "AssumeRole": ("Credentials",),
    "StartExecution": ("executionArn",),
    "DescribeExecution": ("status",),
}
# A header that counts as a member: a store without UploadPartCopy writes an empty part, and answers with its ETag.
_HEADER = {"UploadPartCopy": "etag"}
_DATE = re.compile(rb"<LastModified>([^<]*)</LastModified>")
# botocore calls what it cannot parse a 500. A page of these has a megabyte: only its two ends are looked at.
_LISTS = frozenset({"ListObjectsV2", "ListObjectVersions"})
_ERROR = b"<ErrorResponse><Error/></ErrorResponse>"  # what botocore's query parser can read


def check_answers(client: Any) -> None:  # noqa: ANN401 - a client of any service, of boto3 or aiobotocore
    """
    Let a client refuse each answer that lacks what the operation's answers have.

    The wildcards put both handlers in front of botocore's own (botocore/hooks.py, ``_PrefixTrie._get_items``).
    """
    client.meta.events.register("before-parse.*.*", _check_body, unique_id="answers-body")
    client.meta.events.register("needs-retry.*.*", _check_members, unique_id="answers-members")


def _check_body(
    operation_model: Any,  # noqa: ANN401 - botocore's, as all of these
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    """Find a body that botocore's parsers would raise on, or take for an empty answer."""
    _drop_dates(response_dict, operation_model.name)
    if operation_model.has_streaming_output or operation_model.has_event_stream_output:
        return
    status, size = response_dict["status_code"], len(response_dict["body"])
    readable = _substitute(operation_model, response_dict)
    if readable is None:
        return
    response_dict["body"] = readable
    kind, code = response_dict["headers"].get("content-type", "no type"), str(status)
    if status in _OK:
        response_dict["status_code"], code = _FAULT, MALFORMED
    message = f"status {status} with {size} bytes of {kind}, which is not an answer to {operation_model.name}"
    is_foreign = status not in _OK and operation_model.service_model.protocol == "rest-xml"
    customized_response_dict["Error"] = {"Code": code, "Message": message} | ({FOREIGN: True} if is_foreign else {})


def _substitute(operation: Any, response: dict[str, Any]) -> bytes | None:  # noqa: ANN401
    """Return what botocore can parse in place of a body that is not an answer; ``None`` where the body is one."""
    protocol, body, is_ok = operation.service_model.protocol, response["body"], response["status_code"] in _OK
    if protocol == "query":
        roots = {f"{operation.name}Response"} if is_ok else {"ErrorResponse", "Response"}
        return None if _root(body) in roots else _ERROR
    if protocol in {"json", "rest-json"}:
        return b"{}" if is_ok and not _is_json(body, operation) else None
    if protocol != "rest-xml" or not body:
        return None
    if not is_ok:
        return None if _root(body) in _ERRORS else body
    if operation.name in _LISTS and not _is_whole(body):
        return b""
    return body if operation.name == "PutObject" and "etag" not in response["headers"] else None


def _check_members(
    operation: Any = None,  # noqa: ANN401
    response: tuple[Any, dict[str, Any]] | None = None,
    request_dict: dict[str, Any] | None = None,
    **_: object,
) -> None:
    """Find an answer that lacks what each such answer has, before botocore decides on a retry; decide nothing."""
    if response is None:
        return
    http, parsed = response
    metadata = parsed.setdefault("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", http.status_code)
    if status in _OK and (missing := lacks(operation.name, http, parsed)):
        message = f"status {status} without {' or '.join(missing)}, which is not an answer to {operation.name}"
        parsed["Error"] = {"Code": MALFORMED, "Message": message}
        status = _FAULT
    elif operation.service_model.service_name == "s3" and _is_busy(status, parsed):
        status = _FAULT
    elif status not in _OK and not _names_region(parsed):
        _ask_no_region(request_dict)
        status = _FAULT if _may_pass(status, parsed) else status
    http.status_code = metadata["HTTPStatusCode"] = status


def _is_busy(status: int, parsed: dict[str, Any]) -> bool:
    """Whether a store asks for another try in words that botocore does not know."""
    return status == _BUSY or parsed.get("Error", {}).get("Code") in _UNDECIDED


def _may_pass(status: int, parsed: dict[str, Any]) -> bool:
    """Whether an answer without a code of the service's own may be another one at the next try."""
    return parsed.get("Error", {}).get("Code") in {"", None, str(status)} and status in _PASSING | _ELSEWHERE


def _names_region(parsed: dict[str, Any]) -> bool:
    headers = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return BUCKET_REGION in headers or "Region" in parsed.get("Error", {})


def _ask_no_region(request_dict: dict[str, Any] | None) -> None:
    """
    Keep botocore from asking for the bucket's region where a redirect does not name it; each of S3's own does.

    It would ask by a HEAD, which is answered alike, and ask again, until Python's stack ends (``RecursionError``).
    """
    if request_dict is not None and "s3_redirect" in request_dict.get("context", {}):
        request_dict["context"]["s3_redirect"]["redirected"] = True


def lacks(operation: str, http: Any, parsed: dict[str, Any]) -> tuple[str, ...]:  # noqa: ANN401 - botocore's response
    """Return the members of which an operation's answer must have one, where it lacks them all; else nothing."""
    if operation == "HeadObject" and "ContentLength" not in parsed:
        return ("ContentLength",)
    members = _MEMBERS.get(operation, ())
    has = _HEADER.get(operation, "") in http.headers or any(parsed.get(name) not in (None, "", {}) for name in members)
    return () if has else members


def _drop_dates(response_dict: dict[str, Any], operation: str) -> None:
    """Drop dates that cannot be read, as some stores write them: no caller needs them, and botocore would raise."""
    headers = response_dict["headers"]
    if "last-modified" in headers and not _is_date(headers["last-modified"]):
        del headers["last-modified"]
    if operation == "UploadPartCopy":
        response_dict["body"] = _DATE.sub(
            lambda found: found[0] if _is_date(found[1].decode(errors="replace")) else b"", response_dict["body"]
        )


def _is_date(written: str) -> bool:
    try:
        parse_timestamp(written)
    except (ValueError, RuntimeError):
        return False
    return True


def _is_whole(body: bytes) -> bool:
    """Whether a body is XML from its beginning to its end, as far as both ends show."""
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and body[-64:].rstrip().endswith(b">")


def _root(body: bytes) -> str | None:
    """Return the name of an XML document's root element; ``None`` where the body is not XML."""
    try:
        return str(ET.fromstring(body).tag).rpartition("}")[2]  # noqa: S314 - botocore parses the same bytes alike
    except (ET.ParseError, ValueError, LookupError):  # the last two where it names an encoding that expat lacks
        return None


def _is_json(body: bytes, operation: Any) -> bool:  # noqa: ANN401
    """Whether a body is an object with a member that the operation's answer has, or is empty where it has none."""
    shape = operation.output_shape
    members = {} if shape is None else shape.members
    if not members and not body:  # as EnableRule answers
        return True
    known = {member.serialization.get("name", name) for name, member in members.items()}
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and (not found or not known.isdisjoint(found))
