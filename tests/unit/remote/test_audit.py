"""Who fetched what: from CloudTrail's records to a line for the security officer."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from click.testing import CliRunner

from presign_siblings.cli import console
from presign_siblings.cli.main import main
from presign_siblings.deploy import template
from presign_siblings.remote import audit
from tests.conftest import NOW

if TYPE_CHECKING:
    import pytest

AUDIT = template.TEMPLATE.with_name("presign-siblings-audit.yaml")
# A record of a presigned GetObject as AWS documents it, with shortened values.
RECORD: dict[str, Any] = {
    "eventVersion": "1.09",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:presign_siblings",
        "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "presign_siblings_role"}},
    },
    "eventTime": "2026-04-01T06:20:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "sourceIPAddress": "203.0.113.7",
    "userAgent": "[curl/8.5.0]",
    "requestParameters": {"bucketName": "reports", "key": "inbox/2026/may.pdf", "X-Amz-Expires": "43200"},
    "additionalEventData": {"AuthenticationMethod": "QueryString", "bytesTransferredOut": 1024.0},
}
REFUSED = RECORD | {"errorCode": "AccessDenied", "additionalEventData": {"AuthenticationMethod": "QueryString"}}
SIGNED_REQUEST = RECORD | {"additionalEventData": {"AuthenticationMethod": "AuthHeader"}}


class Logs:
    """A log group with records, and the last request to it."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.records, self.asked = records, dict[str, Any]()

    def get_paginator(self, _: str) -> Any:
        def paginate(**asked: Any) -> list[dict[str, Any]]:
            self.asked = asked
            if asked["logGroupName"] == "none":
                raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
            return [{"events": [{"message": json.dumps(record)}]} for record in self.records]

        return SimpleNamespace(paginate=paginate)


def test_a_use_of_a_url_is_shown_and_a_signed_request_is_not() -> None:
    """A user with rights on the bucket is no recipient."""
    logs: Any = Logs(RECORD, SIGNED_REQUEST, REFUSED)
    used, refused = audit.fetches(logs, "g", NOW - timedelta(days=1), "inbox/2026/")
    assert (used.key, used.address, used.agent, used.size) == ("inbox/2026/may.pdf", "203.0.113.7", "curl/8.5.0", 1024)
    assert (used.signer, used.refused, refused.refused) == ("presign_siblings_role", None, "AccessDenied")
    assert logs.asked["startTime"] == int((NOW - timedelta(days=1)).timestamp() * 1000)
    assert list(audit.fetches(logs, "g", NOW, "other/")) == []


def test_the_command_prints_lines_and_names_a_missing_log_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a reader and for a script."""
    monkeypatch.setattr(console.Terminal, "client", lambda *_: Logs(RECORD))
    assert "203.0.113.7" in CliRunner().invoke(main, ["who", "inbox/"]).stdout
    assert json.loads(CliRunner().invoke(main, ["who", "--json"]).stdout)["key"] == "inbox/2026/may.pdf"
    result = CliRunner().invoke(main, ["who", "--log-group", "none"])
    assert (result.exit_code, "presign-siblings-audit.yaml makes it" in result.stderr) == (4, True)


def test_a_boundary_bounds_the_role_of_the_audit_too() -> None:
    """An operator who may make roles only with a boundary can deploy it."""
    loaded, boundary = template.load(AUDIT), "arn:aws:iam::000000000000:policy/boundary"
    role = {"PermissionsBoundary": loaded["Resources"]["AuditRole"]["Properties"]["PermissionsBoundary"]}
    given = {name: str(each.get("Default", "")) for name, each in loaded["Parameters"].items()}
    assert template.Resolver(loaded, given).resolve(role) == {}
    given["PermissionsBoundaryArn"] = boundary
    assert template.Resolver(loaded, given).resolve(role) == {"PermissionsBoundary": boundary}


def test_the_trail_records_the_reads_of_one_bucket_only() -> None:
    """Each data event costs money; the records outlive the stack."""
    resources = template.load(AUDIT)["Resources"]
    (selector,) = resources["AuditTrail"]["Properties"]["AdvancedEventSelectors"]
    fields = {each["Field"]: each for each in selector["FieldSelectors"]}
    assert fields["eventName"]["Equals"] == ["GetObject"]
    assert fields["resources.ARN"]["StartsWith"] == [{"Fn::Sub": "arn:${AWS::Partition}:s3:::${BucketName}/${Prefix}"}]
    assert {resources[name]["DeletionPolicy"] for name in ("AuditBucket", "AuditLogGroup")} == {"RetainExceptOnCreate"}
