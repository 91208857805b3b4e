"""A claim changes what it has read, and overwrites no change made in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from presign_siblings.remote.job_snapshot import JobSnapshot
from processor.errors import LeaseLostError
from processor.job import LAST
from processor.ledger import HANDED_OVER, PARKED, DynamoLedger, Verdict
from tests.builders import OPEN, at_hop, claim, run_of
from tests.conftest import NOW
from tests.simulation.dynamo import FakeDynamo

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_a_stop_between_reading_and_claiming_is_kept() -> None:
    """An operator sets that attribute alone (the simulation found it overwritten)."""
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
        assert not (await ledger.renew(resumed.record, NOW)).stop, "a resume lifts the stop"

    async def stop(operation: str, request: Mapping[str, Any]) -> None:
        item = dynamo.items[run_of().job.job_key]
        if operation == "update_item" and item["state"]["S"] != PARKED and "#holder" in str(request):
            item["stop"] = {"BOOL": True}

    asyncio.run(work())


def test_a_renewal_after_its_own_holders_hand_over_is_refused() -> None:
    """The holder is the same, and the record is the next hop's: no write may change it any more."""
    ledger = DynamoLedger(FakeDynamo(), "jobs", OPEN)

    async def work() -> None:
        begun = (await ledger.claim(claim(run_of()))).record
        await ledger.hand_over(begun, at_hop(1), None, NOW)
        for late in (
            ledger.renew(begun, NOW),
            ledger.commit(begun, {}, None, NOW),
            ledger.park(begun, begun.place, "", NOW),
        ):
            with pytest.raises(LeaseLostError):
                await late
        found = await ledger.read(begun.job_key)
        assert found is not None
        assert (found.state, found.place.hop) == (HANDED_OVER, 1)

    asyncio.run(work())


@pytest.mark.parametrize("end", ["hand_over", "park", "fan_out"])
def test_a_hop_that_ends_resets_the_number_of_take_overs(end: str) -> None:
    """Otherwise three in a whole chain would fail the job; three without a checkpoint must."""
    ledger = DynamoLedger(FakeDynamo(), "jobs", OPEN)

    async def work() -> None:
        for later in (timedelta(), timedelta(minutes=1)):
            held = (await ledger.claim(replace(claim(run_of()), holder=str(later), now=NOW + later))).record
        assert held.takeovers == 1
        ends = {
            "hand_over": lambda: ledger.hand_over(held, at_hop(1), None, NOW),
            "park": lambda: ledger.park(held, at_hop(1), "stopped", NOW),
            "fan_out": lambda: ledger.fan_out(held, at_hop(1), 4, NOW),
        }
        assert (await ends[end]()).takeovers == 0

    asyncio.run(work())


def test_a_claim_does_not_overwrite_what_the_chains_report_to_their_job() -> None:
    """Forgotten hops would count in no budget."""
    ledger = DynamoLedger(FakeDynamo(), "jobs", OPEN)

    async def work() -> None:
        begun = (await ledger.claim(claim(run_of()))).record
        reported = await ledger.add_progress(begun.job_key, begun.job_id, NOW, chain_hops=1)
        assert reported is not None
        assert (reported.chain_hops, reported.revision) == (1, begun.revision + 1)
        assert await ledger.add_progress(begun.job_key, "another run", NOW, chain_hops=1) is None

    asyncio.run(work())


@pytest.mark.parametrize(
    ("since", "life", "kept"),
    [(None, 7, 14), (None, 300, 301), (LAST, 7, 400)],
)
def test_a_finished_record_outlives_its_urls_and_the_next_run_that_needs_it(
    since: str | None, life: int, kept: int
) -> None:
    """
    CloudFront's links may live for years; and a yearly job takes what has changed since its last run.

    Its time of writing is not derived from that: ``status`` showed a job that had taken a year.
    """
    dynamo = FakeDynamo()
    run = replace(run_of(), job=replace(run_of().job, modified_since=since))
    ledger = DynamoLedger(dynamo, "jobs", replace(OPEN, jobs_table="jobs"))

    async def work() -> None:
        begun = (await ledger.claim(claim(run))).record
        done = await ledger.commit(begun, {}, NOW + timedelta(days=life), NOW)
        await ledger.complete(done, NOW)

    asyncio.run(work())
    (item,) = dynamo.items.values()
    assert int(item["ttl"]["N"]) == (NOW + timedelta(days=kept)).timestamp()
    seen = JobSnapshot.from_item(item)
    assert (seen.written, seen.seconds) == (NOW, 0)
