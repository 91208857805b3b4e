"""The ledger on a DynamoDB server: conditions, lost answers, simultaneous claims."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from processor.aws import open_dynamodb
from processor.errors import LeaseLostError, RetryableError
from processor.ledger import COMPLETE, HANDED_OVER, PARKED, RUNNING, DynamoLedger, Verdict
from processor.ledger.record import LEASE
from tests.builders import OPEN, at_hop, run_of
from tests.conftest import NOW
from tests.jobs_table import claim, ledger_of

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table


def test_a_run_from_claim_to_completion(table: Table) -> None:
    """Each state is written, with what the next hop needs."""

    async def run() -> None:
        async with ledger_of(table) as ledger:
            record = (await ledger.claim(claim("a"))).record
            record = await ledger.renew(record, NOW + timedelta(seconds=15))
            assert record.lease_until == NOW + timedelta(seconds=15) + LEASE
            to = at_hop(1)
            record = await ledger.hand_over(replace(record, count=3), to, NOW + timedelta(hours=1), NOW)
            assert (record.state, record.place) == (HANDED_OVER, to)
            record = (await ledger.claim(claim("b", to))).record
            assert (record.state, record.holder, record.place, record.count) == (RUNNING, "b", to, 3)
            record = await ledger.commit(replace(record, count=5), {"count": 5}, NOW + timedelta(hours=1), NOW)
            record = await ledger.complete(record, NOW)
            assert (record.state, record.result, record.count) == (COMPLETE, {"count": 5}, 5)
            again = await ledger.claim(claim("c"))
            assert (again.verdict, again.record.result) == (Verdict.FINISHED, {"count": 5})
            anew = await ledger.claim(claim("d", run_of("d", fresh=True)))
            assert (anew.record.count, anew.record.last_count) == (0, 5)

    asyncio.run(run())
    (item,) = table.scan()["Items"]
    assert int(str(item["ttl"])) > (NOW + timedelta(days=13)).timestamp()


def test_one_of_many_simultaneous_claims_wins(table: Table) -> None:
    """The table decides it, by the condition."""

    async def run() -> list[Verdict]:
        async with ledger_of(table) as ledger:
            claims = [ledger.claim(claim(f"h{n}", run_of(f"d{n}"))) for n in range(12)]
            return [decision.verdict for decision in await asyncio.gather(*claims)]

    verdicts = asyncio.run(run())
    assert verdicts.count(Verdict.WORK) == 1
    assert verdicts.count(Verdict.IN_PROGRESS) == 11


def test_a_replaced_holder_writes_nothing(table: Table) -> None:
    """Neither a renewal, nor a hand-over, nor an end."""

    async def run() -> None:
        async with ledger_of(table) as ledger:
            old = (await ledger.claim(claim("old"))).record
            later = NOW + LEASE
            new = (await ledger.claim(claim("new", now=later))).record
            assert (new.holder, new.takeovers) == ("new", 1)
            for write in (
                ledger.renew(old, later),
                ledger.commit(old, {}, None, later),
                ledger.hand_over(old, at_hop(1), None, later),
                ledger.park(old, at_hop(1), "x", later),
                ledger.complete(old, later),
                ledger.fail(old, "x", later),
            ):
                with pytest.raises(LeaseLostError):
                    await write
            assert (await ledger.renew(new, later)).holder == "new"

    asyncio.run(run())


def test_stop_reaches_the_holder_and_is_not_overwritten(table: Table) -> None:
    """``stop`` is set beside the holder's own writes."""

    async def run() -> None:
        async with ledger_of(table) as ledger:
            record = (await ledger.claim(claim("a"))).record
            key = {"job_key": record.job_key}
            table.update_item(Key=key, UpdateExpression="SET stop = :yes", ExpressionAttributeValues={":yes": True})
            record = await ledger.renew(record, NOW)
            assert record.stop
            record = await ledger.park(record, at_hop(1), "stopped", NOW)
            assert (record.state, record.reason, record.stop) == (PARKED, "stopped", True)
            resumed = (await ledger.claim(claim("b", at_hop(1), resume=True))).record
            assert (resumed.state, resumed.stop) == (RUNNING, False)

    asyncio.run(run())


@pytest.mark.parametrize("operation", ["put_item", "update_item"])
def test_a_write_whose_answer_was_lost_is_recognised(table: Table, operation: str) -> None:
    """The SDK's retry fails a condition that its first try has changed."""

    async def run() -> None:
        async with open_dynamodb() as client:
            ledger = DynamoLedger(client, table.name, OPEN)
            real = getattr(client, operation)

            async def twice(**request: Any) -> Any:
                await real(**request)
                return await real(**request)

            setattr(client, operation, twice)
            record = (await ledger.claim(claim("a"))).record
            assert record.holder == "a"
            assert (await ledger.hand_over(record, at_hop(1), None, NOW)).state == HANDED_OVER

    asyncio.run(run())


def test_a_table_that_does_not_answer_is_retryable(table: Table) -> None:
    """The job is left as it is."""

    class Dead:
        async def get_item(self, **_: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    async def run() -> None:
        with pytest.raises(RetryableError, match="no answer came within the read timeout"):
            await DynamoLedger(Dead(), table.name, OPEN).claim(claim("a"))

    asyncio.run(run())


def test_a_missing_table_is_retryable_by_name(aws: str) -> None:
    """The deployment is wrong; no work is lost."""
    assert aws

    async def run() -> None:
        async with open_dynamodb() as client:
            with pytest.raises(RetryableError, match="ResourceNotFoundException"):
                await DynamoLedger(client, "autotest_none", OPEN).claim(claim("a"))

    asyncio.run(run())


def test_three_dead_holders_fail_the_job_in_the_table_too(table: Table) -> None:
    """The verdict is written, so that the next submission begins anew."""

    async def run() -> None:
        async with ledger_of(table) as ledger:
            for turn in range(4):
                decision = await ledger.claim(claim(f"h{turn}", now=NOW + turn * LEASE))
                assert decision.verdict is Verdict.WORK
            decision = await ledger.claim(claim("h5", now=NOW + 5 * LEASE))
            assert (decision.verdict, decision.record.reason) == (Verdict.FAILED, "no_progress_after_takeovers")
            anew = await ledger.claim(claim("h6", run_of("second"), now=NOW + 5 * LEASE))
            assert (anew.verdict, anew.record.place.hop, anew.record.takeovers) == (Verdict.WORK, 0, 0)
            assert replace(anew.record).runs == (run_of().job_id, run_of("second").job_id)

    asyncio.run(run())
