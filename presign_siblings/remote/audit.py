"""Who fetched what by a presigned URL, from CloudTrail's data events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from presign_siblings.errors import NotFoundError
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from types_boto3_logs import CloudWatchLogsClient

# AuthenticationMethod tells a presigned URL from a signed request:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
PATTERN = '{ ($.eventName = "GetObject") && ($.additionalEventData.AuthenticationMethod = "QueryString") }'


@dataclass(frozen=True, slots=True)
class Fetch:
    """
    One use of a URL.

    :param at:      When, ISO 8601 UTC.
    :param key:     The object.
    :param address: Where the request came from.
    :param agent:   What the client called itself.
    :param signer:  Role or user whose credentials had signed the URL.
    :param size:    Bytes that were sent.
    :param refused: S3's error code, where it refused.
    """

    at: str
    key: str
    address: str
    agent: str
    signer: str
    size: int
    refused: str | None


def fetches(logs: CloudWatchLogsClient, group: str, since: datetime, beginning: str = "") -> Iterator[Fetch]:
    """
    Yield every use of a presigned URL.

    :param group:     Log group of the trail.
    :param since:     The first instant; CloudTrail delivers some minutes late.
    :param beginning: Only keys that begin so.
    :raises NotFoundError: There is no such log group.
    """
    pages = logs.get_paginator("filter_log_events")
    try:
        for page in pages.paginate(logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=PATTERN):
            for event in page["events"]:
                found = fetch(json.loads(event["message"]))
                if found is not None and found.key.startswith(beginning):
                    yield found
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        message = f"no log group {group}: the template presign-siblings-audit.yaml makes it"
        raise NotFoundError(message) from error


def fetch(record: dict[str, Any]) -> Fetch | None:
    """Return what a record of CloudTrail says, or ``None`` where no presigned URL was used."""
    more, asked = record.get("additionalEventData") or {}, record.get("requestParameters") or {}
    if record.get("eventName") != "GetObject" or more.get("AuthenticationMethod") != "QueryString":
        return None
    who = record.get("userIdentity") or {}
    issuer = (who.get("sessionContext") or {}).get("sessionIssuer") or {}
    return Fetch(
        at=record["eventTime"],
        key=asked.get("key", ""),
        address=record.get("sourceIPAddress", ""),
        agent=record.get("userAgent", "").strip("[]"),
        signer=issuer.get("userName") or who.get("userName") or who.get("principalId") or "",
        size=int(more.get("bytesTransferredOut", 0)),
        refused=record.get("errorCode"),
    )
