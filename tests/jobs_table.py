"""A ledger on a jobs table of a server, and claims on it."""

from __future__ import annotations

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
