"""Announces a finished manifest on EventBridge: where it lies and what is in it, without any URL."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import cause_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from processor.job import SiblingPayload

SOURCE, DETAIL_TYPE = "presign-siblings", "Manifest Complete"
# EventBridge refuses an entry within an answer of status 200, which the SDK does not try again.
PASSING = frozenset({"InternalException", "InternalFailure", "ThrottlingException"})
WAITS = (0.0, 0.5, 1.5)  # seconds before each try


def detail(place: SiblingPayload, result: dict[str, Any]) -> dict[str, Any]:
    """
    Return what the event says.

    :param place:  The run.
    :param result: The run's answer, without ``manifest_url``.
    """
    job = place.job
    return {
        **{name: value for name, value in result.items() if name != "status"},
        "job_key": job.job_key,
        "bucket": job.bucket,
        "prefix": job.prefix,
        "manifest_bucket": job.manifest_bucket,
        "compression": job.compression,
        "time": job.time.isoformat(),
        "task_id": job.task_id,
    }


async def announce(
    open_events: Callable[[], AbstractAsyncContextManager[Any]], bus: str, place: SiblingPayload, result: dict[str, Any]
) -> str | None:
    """
    Put the event on the bus.

    :param open_events: Opens the client of EventBridge.
    :param bus:         Name or ARN of the bus.
    :return: Why the event is not on the bus, or ``None``; the manifest is complete in either case.
    """
    manifest = f"{place.job.manifest_bucket}/{place.job.manifest_key_of(place.job_id)}"
    entry: dict[str, Any] = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps(detail(place, result)),
    }
    refused = None
    try:
        async with open_events() as client:
            entry["Resources"] = [f"arn:{client.meta.partition}:s3:::{manifest}"]  # aws, aws-cn, aws-us-gov
            for seconds in WAITS:
                await asyncio.sleep(seconds)
                answer = await client.put_events(Entries=[entry])
                refused = next((str(each["ErrorCode"]) for each in answer["Entries"] if "ErrorCode" in each), None)
                if refused not in PASSING:
                    break
    except (ClientError, BotoCoreError) as error:
        return cause_code(error)
    return refused
