"""The report of ``stop --all`` and of its undoing, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presign_siblings.cli.program import PROGRAM
from presign_siblings.remote.stopped import NONE
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.cli.stop_all import Everything

RESERVED = "reserved concurrency"
_SHOWN = 20  # jobs that are listed by key


def lines(every: Everything, changes: dict[str, Any]) -> Iterator[str]:
    """Yield the changes, for a reader."""
    if every.missing:
        yield f"{every.missing}: nothing is recorded there"
    for name in ("rules", "mappings"):
        for done in ("disabled", "enabled"):
            yield from (f"{name[:-1]} {each}: {done}" for each in changes.get(f"{name}_{done}", ()))
    yield from (f"{each} does not exist any more" for each in every.gone)
    yield from (f"NOT DONE: {name}: {why}; call this again" for name, why in every.refused.items())
    yield from _undone(changes) if "jobs_going_on" in changes else _stopped(changes)


def _stopped(changes: dict[str, Any]) -> Iterator[str]:
    reserved, jobs = changes["reserved_concurrency"], changes["jobs_stopping"]
    if reserved["now"] != reserved["before"]:
        yield f"{RESERVED}: {reservation(reserved['before'])}, now {reserved['now']}"
    if changes["mappings_disabled"]:
        yield "messages wait while their queue keeps them, 4 days in the stack's own; no alarm reports one that expires"
    parks = plural(len(jobs), "job parks at its next page", "jobs park at their next page")
    yield f"{parks}{': ' + _listed(jobs) if jobs else ''}"
    yield f"undo with: {changes['undo']}"


def _undone(changes: dict[str, Any]) -> Iterator[str]:
    if changes["reserved_concurrency"]:
        zero_note = "; nothing starts: --undo --concurrency changes that"
        yield f"{RESERVED}: {changes['reserved_concurrency']}{zero_note * (changes['reserved_concurrency'] == '0')}"
    going = plural(len(changes["jobs_going_on"]), "job that had", "jobs that had")
    yield f"continuing: {going} not parked yet; {PROGRAM} resume JOB continues a parked job"


def _listed(jobs: list[str]) -> str:
    """Return the first jobs of a list, and how many more there are."""
    more = f", and {len(jobs) - _SHOWN:,} more; --json has all" if len(jobs) > _SHOWN else ""
    return ", ".join(jobs[:_SHOWN]) + more


def by_hand(changes: dict[str, Any]) -> str:
    """Return the options for --undo where no table keeps a record."""
    names = (f" --{kind} {name}" for kind in ("rule", "mapping") for name in changes[f"{kind}s_disabled"])
    reserved = changes["reserved_concurrency"]
    changed = reserved["now"] != reserved["before"]
    return "".join(names) + (f" --concurrency {reservation(reserved['before'])}" if changed else "")


def reservation(concurrency: int | None) -> str:
    """Return a reserved concurrency as ``--concurrency`` takes it."""
    return NONE if concurrency is None else str(concurrency)
