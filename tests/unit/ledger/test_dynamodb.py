"""A claim changes what it has read, and nothing that came between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from processor.ledger import PARKED, DynamoLedger, Verdict
from tests.builders import OPEN, at_hop, claim, run_of
from tests.conftest import NOW
from tests.simulation.dynamo import FakeDynamo

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_a_stop_that_comes_between_reading_and_claiming_stays() -> None:
    """A person sets that attribute alone (the simulation found it overwritten)."""
    dynamo = FakeDynamo()
    ledger = DynamoLedger(dynamo, "jobs", OPEN)

    async def work() -> None:
        begun = (await ledger.claim(claim(run_of()))).record
        await ledger.hand_over(begun, at_hop(1), None, NOW - timedelta(minutes=1))
        dynamo.before = stop
        taken = await ledger.claim(claim(at_hop(1)))
        assert taken.verdict is Verdict.WORK
        renewed = await ledger.renew(taken.record, NOW)
        assert renewed.stop
        await ledger.park(renewed, at_hop(2), "stopped", NOW)
        resumed = await ledger.claim(claim(at_hop(2), resume=True))
        assert not (await ledger.renew(resumed.record, NOW)).stop, "a resume lifts it"

    async def stop(operation: str, request: Mapping[str, Any]) -> None:
        item = dynamo.items[run_of().job.job_key]
        if operation == "update_item" and item["state"]["S"] != PARKED and "#holder" in str(request):
            item["stop"] = {"BOOL": True}

    asyncio.run(work())
