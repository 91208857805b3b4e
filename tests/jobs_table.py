"""A ledger on a jobs table of a server, and claims on it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from processor.aws import open_dynamodb
from processor.ledger import Claim, DynamoLedger
from tests.builders import OPEN, run_of
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_boto3_dynamodb.service_resource import Table


@asynccontextmanager
async def ledger_of(table: Table) -> AsyncIterator[DynamoLedger]:
    """Open a ledger on the table."""
    async with open_dynamodb() as client:
        yield DynamoLedger(client, table.name, OPEN)


def claim(holder: str, run: Any = None, **fields: Any) -> Claim:
    """Return a claim at ``NOW``."""
    return Claim(**{"run": run or run_of(), "resume": False, "time": None, "holder": holder, "now": NOW, **fields})


def rewritten_by_a_newer_release(table: Table, job_key: str) -> None:
    """Give the job of a record a field that this release lacks."""
    place = json.loads(str(table.get_item(Key={"job_key": job_key})["Item"]["place"]))
    place["job"]["of_tomorrow"] = 1
    table.update_item(
        Key={"job_key": job_key},
        UpdateExpression="SET place = :place",
        ExpressionAttributeValues={":place": json.dumps(place)},
    )
