"""
The ledger in the jobs table: who runs which job, from where, until when.

Every claim is a write on condition that the record is still the one that was read; every later write of a holder is on
condition that it still holds the lease. A write whose answer was lost is recognised by its holder.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from processor.errors import LeaseLostError, RetryableError
from processor.job import LAST, WEEK_SECONDS
from processor.ledger.claim import Decision, Verdict
from processor.ledger.jobs_table import ConditionFailedError, JobsTable
from processor.ledger.record import (
    COMPLETE,
    FAILED,
    FANNED_OUT,
    HANDED_OVER,
    LEASE,
    LIVE,
    PARKED,
    REMEMBERED_SECONDS,
    RUNNING,
    Record,
    milliseconds,
)

if TYPE_CHECKING:
    from datetime import datetime

    from processor.job import DeploymentSettings, SiblingPayload
    from processor.ledger.claim import Claim

LAST_SECONDS = 400 * 86_400  # kept for a job that takes what changed since its last run, which may be yearly
DAY_SECONDS = 86_400
FANNED_OUT_LEASE = timedelta(seconds=WEEK_SECONDS)  # no job is allowed to become older
CLAIM_ATTEMPTS = 8


class DynamoLedger:
    """
    The ledger in a DynamoDB table.

    :param client:     An aiobotocore DynamoDB client.
    :param table:      The table: hash key ``job_key`` (string), TTL attribute ``ttl``.
    :param deployment: Bounds what a stored job may name, as it bounds events.
    """

    def __init__(self, client: Any, table: str, deployment: DeploymentSettings) -> None:  # noqa: ANN401 - untyped client
        self._table, self._deployment = JobsTable(client, table), deployment

    async def claim(self, claim: Claim) -> Decision:
        """
        Decide what an event may do; for ``WORK`` the lease is then held.

        :raises RetryableError: The table does not answer, or others keep changing the record.
        """
        for _ in range(CLAIM_ATTEMPTS):
            read = await self.read(claim.run.ledger_key)
            if read is not None and read.holder == claim.holder and read.state == RUNNING:
                return Decision(Verdict.WORK, read)  # the write before had succeeded, its answer was lost
            decision = claim.decide(read)
            ended = read is None or read.state not in LIVE
            if decision.verdict is not Verdict.WORK and (ended or decision.record is read):
                return decision
            if await self._replace(read, decision.record, claim.now):
                return Decision(decision.verdict, replace(decision.record, revision=_next(read)))
        raise RetryableError(
            f"the record of job {claim.run.job_id} keeps changing: {CLAIM_ATTEMPTS} claims met another writer"
        )

    async def renew(self, record: Record, now: datetime) -> Record:
        """
        Keep the lease; learn whether an operator asked to stop.

        :raises LeaseLostError: Another holder has it.
        :raises RetryableError: The table does not answer.
        """
        changes = {"lease_until": milliseconds(now + LEASE)}
        return await self._update(record, RUNNING, changes, now)

    async def commit(
        self, record: Record, result: dict[str, Any], expires_at: datetime | None, now: datetime
    ) -> Record:
        """Write down what the answer will say, and keep the lease, before the manifest appears."""
        changes = {"result": json.dumps(result), "lease_until": milliseconds(now + LEASE), **_expiry(expires_at)}
        return await self._update(record, RUNNING, changes, now)

    async def hand_over(self, record: Record, to: SiblingPayload, expires_at: datetime | None, now: datetime) -> Record:
        """Let go of the lease for the next hop, before it is called; progress was made."""
        changes = {
            "lease_until": milliseconds(now + LEASE),
            "takeovers": 0,
            **_expiry(expires_at),
            **_placed(to),
        }
        return await self._update(record, HANDED_OVER, changes, now)

    async def park(self, record: Record, to: SiblingPayload, reason: str, now: datetime) -> Record:
        """End the chain for now, resumable."""
        return await self._update(record, PARKED, {"reason": reason, "takeovers": 0, **_placed(to)}, now)

    async def fan_out(self, record: Record, to: SiblingPayload, ranges: int, now: datetime) -> Record:
        """Let go of the lease for the state machine, before it is started; progress was made."""
        changes = {
            "lease_until": milliseconds(now + FANNED_OUT_LEASE),
            "takeovers": 0,
            "ranges": ranges,
            "ranges_done": 0,
            "hops_free": record.hops_free + ranges,
            **_placed(to),
        }
        return await self._update(record, FANNED_OUT, changes, now)

    async def complete(self, record: Record, now: datetime, to: SiblingPayload | None = None) -> Record:
        """End the run: its manifest is there; or a range of it."""
        return await self._update(record, COMPLETE, {} if to is None else _placed(to), now)

    async def fail(self, record: Record, reason: str, now: datetime) -> Record:
        """End the run for good."""
        return await self._update(record, FAILED, {"reason": reason}, now)

    async def add_progress(
        self, job_key: str, job_id: str, now: datetime, *, stop: bool = False, **more: int
    ) -> Record | None:
        """
        Add to the numbers of a job's record, for a chain of one of its ranges.

        :param stop: Whether the other chains are to stop.
        :param more: What to add to which attribute.
        :return: The record, which says whether the job continues; ``None`` when the run is no longer the job's latest.
        :raises RetryableError: The table does not answer.
        """
        adding = {**more, "revision": 1}
        setting = {"ttl": int(now.timestamp() + REMEMBERED_SECONDS), "written": milliseconds(now)}
        setting |= {"stop": True} if stop else {}
        values = {f":{name}": value for name, value in (adding | setting | {"job_id": job_id}).items()}
        sets = ", ".join(f"#{name} = :{name}" for name in setting)
        sums = ", ".join(f"#{name} :{name}" for name in adding)
        try:
            item = await self._table.update(
                job_key, f"SET {sets} ADD {sums}", "#job_id = :job_id", [*adding, *setting, "job_id"], values
            )
        except ConditionFailedError:
            return None
        return Record.from_item(item, self._deployment)

    async def read(self, job_key: str) -> Record | None:
        """
        Return a record, or ``None``.

        :raises RetryableError: The table does not answer.
        """
        item = await self._table.get(job_key)
        return None if item is None else Record.from_item(item, self._deployment)

    async def _replace(self, read: Record | None, record: Record, now: datetime) -> bool:
        """Write a claimed record over the one that was read; return whether that one was still there."""
        item = replace(record, revision=_next(read)).to_item() | _times(record, now)
        try:
            if read is None:
                await self._table.put_new(item)
            else:
                # An operator sets ``stop`` without a look at the revision: what the claim does not change stays.
                kept = {"job_key"} if record.stop != read.stop else {"job_key", "stop"}
                changes = {name: value for name, value in item.items() if name not in kept}
                await self._change(record, changes, "#revision = :read", {":read": read.revision})
        except ConditionFailedError:
            return False
        return True

    async def _update(self, record: Record, state: str, changes: dict[str, Any], now: datetime) -> Record:
        """Change the record that this claim holds; ``stop``, which an operator may have set, stays."""
        changes = {"state": state, **changes, "count": record.count, **_times(record, now)}
        held = {":holder": record.holder, ":held": record.state, ":one": 1}
        try:
            return await self._change(
                record, changes, "holder = :holder AND #state = :held", held, " ADD revision :one"
            )
        except ConditionFailedError:
            found = await self.read(record.job_key)
            if found is not None and found.holder == record.holder and found.state == state:
                return found  # the write had succeeded, its answer was lost
            raise LeaseLostError(f"another holder works on job {record.job_id}") from None

    async def _change(
        self, record: Record, changes: dict[str, Any], condition: str, others: dict[str, Any], more: str = ""
    ) -> Record:
        """
        Set attributes on a condition.

        :param others: The other values that the expressions name.
        :param more:   What follows the update's ``SET``.
        """
        values = {f":{name}": value for name, value in changes.items()} | others
        expression = f"SET {', '.join(f'#{name} = :{name}' for name in changes)}{more}"
        item = await self._table.update(record.job_key, expression, condition, changes, values)
        return Record.from_item(item, self._deployment)


def _next(read: Record | None) -> int:
    return 1 if read is None else read.revision + 1


def _placed(to: SiblingPayload) -> dict[str, Any]:
    return {"place": json.dumps(to.to_payload()), "hop": to.hop}


def _expiry(expires_at: datetime | None) -> dict[str, Any]:
    return {"expires_at": None if expires_at is None else milliseconds(expires_at)}


def _times(record: Record, now: datetime) -> dict[str, int]:
    """Return when the record was written, in epoch milliseconds, and when DynamoDB may delete it, in epoch seconds."""
    expires = 0.0 if record.expires_at is None else record.expires_at.timestamp()
    kept = LAST_SECONDS if record.place.job.modified_since == LAST else REMEMBERED_SECONDS
    return {"written": milliseconds(now), "ttl": int(max(now.timestamp() + kept, expires + DAY_SECONDS))}
