"""What a ledger does, and the ledger of a deployment without a jobs table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from processor.ledger.claim import Decision, Verdict
from processor.ledger.record import COMPLETE, FAILED, FANNED_OUT, HANDED_OVER, PARKED

if TYPE_CHECKING:
    from processor.job import SiblingPayload
    from processor.ledger.claim import Claim
    from processor.ledger.record import Record

# A lease that no other holder can take has no end: a laptop's clock may be hours ahead when its lid is opened again.
_NEVER = datetime.max.replace(tzinfo=UTC)


class Ledger(Protocol):
    """Where runs are claimed, renewed and ended."""

    async def claim(self, claim: Claim) -> Decision:
        """Decide what an event may do; for ``WORK`` the lease is then held."""

    async def renew(self, record: Record, now: datetime) -> Record:
        """Keep the lease; learn whether an operator asked to stop."""

    async def commit(
        self, record: Record, result: dict[str, Any], expires_at: datetime | None, now: datetime
    ) -> Record:
        """Write down what the answer will say, before the manifest appears."""

    async def hand_over(self, record: Record, to: SiblingPayload, expires_at: datetime | None, now: datetime) -> Record:
        """Let go of the lease for the next hop, before it is called."""

    async def park(self, record: Record, to: SiblingPayload, reason: str, now: datetime) -> Record:
        """End the chain for now, resumable."""

    async def fan_out(self, record: Record, to: SiblingPayload, ranges: int, now: datetime) -> Record:
        """Let go of the lease for the state machine, before it is started."""

    async def complete(self, record: Record, now: datetime, to: SiblingPayload | None = None) -> Record:
        """End the run: its manifest is there; or a range of it: ``to`` names the checkpoint that lists its pieces."""

    async def fail(self, record: Record, reason: str, now: datetime) -> Record:
        """End the run for good."""


class Unfenced:
    """The ledger without a table: every event works, as its payload says."""

    async def claim(self, claim: Claim) -> Decision:
        """Grant everything."""
        return Decision(Verdict.WORK, replace(claim.decide(None).record, lease_until=_NEVER))

    async def renew(self, record: Record, now: datetime) -> Record:  # noqa: ARG002
        """Keep the lease, which no other holder can take."""
        return record

    async def commit(
        self,
        record: Record,
        result: dict[str, Any],
        expires_at: datetime | None,
        now: datetime,  # noqa: ARG002
    ) -> Record:
        """Remember the result for the answer."""
        return replace(record, result=result, expires_at=expires_at)

    async def hand_over(
        self,
        record: Record,
        to: SiblingPayload,
        expires_at: datetime | None,
        now: datetime,  # noqa: ARG002
    ) -> Record:
        """Continue as the payload says."""
        return replace(record, state=HANDED_OVER, place=to, expires_at=expires_at)

    async def park(self, record: Record, to: SiblingPayload, reason: str, now: datetime) -> Record:  # noqa: ARG002
        """Continue as the payload says."""
        return replace(record, state=PARKED, place=to, reason=reason)

    async def fan_out(self, record: Record, to: SiblingPayload, ranges: int, now: datetime) -> Record:  # noqa: ARG002
        """Continue as the payload says."""
        return replace(record, state=FANNED_OUT, place=to, ranges=ranges)

    async def complete(self, record: Record, now: datetime, to: SiblingPayload | None = None) -> Record:  # noqa: ARG002
        """End the run in memory alone."""
        return replace(record, state=COMPLETE)

    async def fail(self, record: Record, reason: str, now: datetime) -> Record:  # noqa: ARG002
        """End the run in memory alone."""
        return replace(record, state=FAILED, reason=reason)
