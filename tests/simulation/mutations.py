"""The processor without one of its safeguards: each is removed while the histories are played."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from botocore.exceptions import ClientError

from processor.chain import execution
from processor.errors import RetryableError
from processor.job import checkpoint
from processor.ledger import claim, dynamodb, lease
from processor.manifest import S3PieceStore, range_writers
from processor.manifest.manifest_object import ManifestObject
from processor.siblings import guards
from processor.siblings.manager import SiblingsManager
from tests.memory_s3 import MemoryS3
from tests.mutants import Patch, put, wrapped
from tests.simulation.machine import MACHINE
from tests.simulation.plan import BUCKET, NEVER, PREFIX, Rates

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Mutation:
    """
    One safeguard less.

    :param without: The safeguard that is removed.
    :param patch:   Removes it.
    :param finds:   Words of the breach that must be found.
    :param meeting: Replaces what a seed draws, so that the safeguard is needed sooner.
    """

    without: str
    patch: Callable[[], Patch]
    finds: str = ""
    meeting: dict[str, Any] = field(default_factory=dict)


def _condition(old: str, new: str) -> Callable[[], Patch]:
    """Change the condition of the ledger's writes."""

    def around(real: Any, self: Any, read: Any, changes: Any, condition: str, others: Any, *more: str) -> Any:
        changed = condition.replace(old, new)
        return real(
            self, read, changes, changed, {k: v for k, v in others.items() if k in changed or k == ":one"}, *more
        )

    return wrapped(dynamodb.DynamoLedger, "_change", around)


def _never_behind(real: Any, self: Any, found: Any, _: int) -> Any:
    """Take a late sibling event for the one that is due."""
    return real(self, found, 0)


async def _keep_without_renewal(_: Any, work: Any) -> Any:
    return await work


async def _renew_for_ever(self: Any) -> None:
    """Renew, and continue when that fails."""
    while True:
        await self._sleep(15)
        with contextlib.suppress(RetryableError):
            await self.renew()


async def _hand_over_unwritten(_: Any, held: Any, to: Any, *__: Any) -> Any:
    """Call the sibling without a write to the table."""
    return replace(held, place=to)


def _twice_when_unknown(real: Any, self: Any, context: Any, payload: Any) -> str | None:
    """Call the sibling again when the answer was lost, as the SDK's own retry would."""
    refusal: str | None = real(self, context, payload)
    return real(self, context, payload) if refusal is not None and refusal.startswith("sibling_unknown") else refusal


@contextlib.contextmanager
def _without_doubt() -> Any:
    """Continue when the rules, or their state, are unknown."""

    def around(otherwise: Any) -> Callable[..., Any]:
        def call(real: Any, self: Any, *args: Any) -> Any:
            try:
                return real(self, *args)
            except ClientError:
                return otherwise

        return call

    with (
        wrapped(SiblingsManager, "events_rules", around(()))(),
        wrapped(SiblingsManager, "any_events_rules_enabled", around(True))(),
    ):
        yield


async def _abort_first(real: Any, self: Any) -> Any:
    """Delete what a failing run has stored before the failure is recorded."""
    try:
        return await real(self)
    except Exception:
        await self.abort()
        raise


def _guard(**changes: Any) -> Callable[[], Patch]:
    def around(real: Any, self: Any, *args: Any) -> None:
        real(self, *args)
        for name, value in changes.items():
            setattr(self, name, value)

    return wrapped(guards.Guards, "__init__", around)


def _deaf(real: Any, self: Any, *args: Any, **more: Any) -> Any:
    return real(self, *args, **more | {"stop": False})


def _unconditional(real: Any, self: Any, operation: str, request: dict[str, Any]) -> Any:
    return real(self, operation, request | ({"IfNoneMatch": None} if "IfNoneMatch" in request else {}))


def _without_pieces(real: Any, self: Any) -> bytes:
    ranges = tuple(replace(written, pieces=written.pieces[1:]) for written in self.ranges)
    return bytes(real(replace(self, ranges=ranges)))


def _one_holder(real: Any, self: Any, client: Any, job: Any, job_id: str, _: str) -> None:
    """Let all holders of a run write under the same names."""
    real(self, client, job, job_id, "holder")


def _by_number(real: Any, self: Any, partition: Any) -> Any:
    """Put ranges together in the order in which they were split off."""
    return real(self, sorted(partition, key=lambda found: found.number))


HANGS = {"rates": Rates(call=0.02, hang=0.8)}
DUPLICATES = {"rates": Rates(call=0.02, sibling=0.9, duplicate=0.8)}
# A job of one chain: with several chains, a damaged checkpoint takes very many rounds.
ALONE = {
    "config": {
        "bucket": BUCKET,
        "prefix": PREFIX,
        "page_size": 5,
        "concurrency": 4,
        "compression": "none",
        "expiry_seconds": 7200,
    }
}
SHORT = {
    "JOBS_TABLE": "jobs",
    "STATE_MACHINE_ARN": MACHINE,
    "MAX_HOPS": "100",
    "MAX_JOB_SECONDS": "30",
    "SHUTDOWN_PERIOD": "20",
    "QUEUE_MAX": "10",
}

MUTATIONS = (
    Mutation("the lease check of a claim", put(claim.Claim, "_expired", lambda *_: True), "another lease lives"),
    Mutation("the condition of a claim", _condition("#revision = :read", "attribute_exists(job_key)")),
    Mutation("the holder's condition", _condition("holder = :holder AND ", ""), "does not hold the lease", HANGS),
    Mutation("the renewal of the lease", put(lease.Lease, "keep", _keep_without_renewal), "after its lease ended"),
    Mutation(
        "the stop before the lease ends",
        put(lease.Lease, "_keep_renewed", _renew_for_ever),
        "after its lease ended",
        HANGS,
    ),
    Mutation("the hop fence", wrapped(claim.Claim, "_of_live_chain", _never_behind), "the sibling was to", DUPLICATES),
    Mutation("the record before the invoke", put(dynamodb.DynamoLedger, "hand_over", _hand_over_unwritten)),
    Mutation("the single try of the invoke", wrapped(SiblingsManager, "hand_over", _twice_when_unknown), "second"),
    Mutation(
        "the pieces in the checkpoint", wrapped(checkpoint.Checkpoint, "to_bytes", _without_pieces), meeting=ALONE
    ),
    Mutation("the holder in a piece's name", wrapped(S3PieceStore, "__init__", _one_holder), meeting=ALONE),
    Mutation("the order of the ranges", wrapped(range_writers.RangeWriters, "_in_order", _by_number), "order False"),
    Mutation("the check for a commit", put(ManifestObject, "found", mock.AsyncMock(return_value=None)), meeting=HANGS),
    Mutation("the condition of the commit", wrapped(MemoryS3, "call", _unconditional), "was replaced", HANGS),
    Mutation(
        "the record before the abort",
        wrapped(execution.Execution, "outcome", _abort_first),
        "checkpoint_lost",
        {"denied": (5.0, 60.0), "rates": Rates(call=0.02, kill=0.4), "chains": 1},
    ),
    Mutation("the runs that are remembered", put(claim, "REMEMBERED_RUNS", 1)),
    Mutation("the hop budget", _guard(_max_hops=10**9), "beyond the budget"),
    Mutation("the age budget", _guard(_max_job_seconds=10**9), "at the age of", {"environment": SHORT}),
    Mutation("the stop flag", wrapped(guards.Guards, "check", _deaf), "after an operator's stop", {"stop_at": 20.0}),
    Mutation("the kill switch", put(SiblingsManager, "any_events_rules_enabled", lambda *_: True), "rules: "),
    Mutation(
        "the doubt of the rules", _without_doubt, "rules: unknown", {"rules_unknown": (0.0, NEVER), "rules": True}
    ),
    Mutation(
        "the concurrency ceiling",
        put(SiblingsManager, "get_approximate_concurrent_executions", lambda _: None),
        "crowd",
    ),
)
