"""What ``stop --all`` and its undoing say of what they have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presign_siblings.cli.program import PROGRAM
from presign_siblings.remote.stopped import NONE
from presign_siblings.remote.switches import RESERVED
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.cli.stop_all import Everything

_SHOWN = 20  # jobs that are named


def lines(every: Everything, told: dict[str, Any]) -> Iterator[str]:
    """Yield what was done, for a reader."""
    if every.missing:
        yield f"{every.missing}: nothing is recorded there"
    for name in ("rules", "mappings"):
        for done in ("disabled", "enabled"):
            yield from (f"{name[:-1]} {each}: {done}" for each in told.get(f"{name}_{done}", ()))
    yield from (f"{each} does not exist any more" for each in every.gone)
    yield from (f"NOT DONE: {name}: {why}; call this again" for name, why in every.refused.items())
    yield from _undone(told) if "jobs_going_on" in told else _stopped(told)


def _stopped(told: dict[str, Any]) -> Iterator[str]:
    reserved, jobs = told["reserved_concurrency"], told["jobs_stopping"]
    if reserved["now"] != reserved["before"]:
        yield f"{RESERVED}: {reservation(reserved['before'])}, now {reserved['now']}"
        yield "events that come meanwhile go to the on-failure queue at once: Lambda does not let them wait"
    if told["mappings_disabled"]:
        yield "messages wait for as long as their queue keeps them, 4 days where the stack made it, and no alarm rings"
    parks = plural(len(jobs), "job parks at its next page", "jobs park at their next page")
    yield f"{parks}{': ' + _listed(jobs) if jobs else ''}"
    yield f"undo with: {told['undo']}"


def _undone(told: dict[str, Any]) -> Iterator[str]:
    reserved = told["reserved_concurrency"]
    if reserved:
        closed = "; nothing starts: --undo --concurrency changes that"
        yield f"{RESERVED}: {reserved}{closed * (reserved == '0')}"
    if reserved not in {None, "0"}:
        lost = f"their jobs are lost in {PROGRAM} status, and resume continues them"
        yield f"events that came meanwhile are in the on-failure queue: replay them; or, of siblings, {lost}"
    going = plural(len(told["jobs_going_on"]), "job that had", "jobs that had")
    yield f"continuing: {going} not parked yet; {PROGRAM} resume JOB continues a parked job"


def _listed(jobs: list[str]) -> str:
    """Return the first jobs of a list, and how many more there are."""
    more = f", and {len(jobs) - _SHOWN:,} more; --json has all" if len(jobs) > _SHOWN else ""
    return ", ".join(jobs[:_SHOWN]) + more


def by_hand(told: dict[str, Any]) -> str:
    """Return the options that undo where no table keeps a record."""
    names = (f" --{kind} {name}" for kind in ("rule", "mapping") for name in told[f"{kind}s_disabled"])
    reserved = told["reserved_concurrency"]
    changed = reserved["now"] != reserved["before"]
    return "".join(names) + (f" --concurrency {reservation(reserved['before'])}" if changed else "")


def reservation(concurrency: int | None) -> str:
    """Return a reserved concurrency as ``--concurrency`` takes it."""
    return NONE if concurrency is None else str(concurrency)
