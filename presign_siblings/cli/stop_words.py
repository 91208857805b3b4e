"""The report of ``stop --all`` and of its undoing, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presign_siblings.cli.program import PROGRAM
from presign_siblings.remote.stopped import reservation
from presign_siblings.remote.switches import RESERVED
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.cli.stop_changes import Changes

_SHOWN = 20  # jobs that are listed by key


def lines(changes: Changes, result: dict[str, Any]) -> Iterator[str]:
    """Yield what was changed, and what was not, for a reader."""
    if changes.missing:
        yield f"{changes.missing}: nothing is recorded there"
    for name in ("rules", "mappings"):
        for done in ("disabled", "enabled"):
            yield from (f"{name[:-1]} {each}: {done}" for each in result.get(f"{name}_{done}", ()))
    yield from (f"{each} does not exist any more" for each in changes.gone)
    yield from (f"NOT DONE: {name}: {why}; call this again" for name, why in changes.refused.items())
    yield from _undone(result) if "jobs_continuing" in result else _stopped(result)


def _stopped(result: dict[str, Any]) -> Iterator[str]:
    reserved, jobs = result["reserved_concurrency"], result["jobs_stopping"]
    if reserved["now"] != reserved["before"]:
        yield f"{RESERVED}: {reservation(reserved['before'])}, now {reserved['now']}"
        yield "events that arrive now go to the on-failure queue at once: Lambda does not let them wait"
    if result["mappings_disabled"]:
        yield "messages wait while their queue keeps them, 4 days in the stack's own; no alarm reports one that expires"
    parks = plural(len(jobs), "job parks at its next page", "jobs park at their next page")
    yield f"{parks}{': ' + _listed(jobs) if jobs else ''}"
    yield f"undo with: {result['undo']}"


def _undone(result: dict[str, Any]) -> Iterator[str]:
    reserved = result["reserved_concurrency"]
    if reserved:
        zero_note = "; nothing starts: --undo --concurrency changes that"
        yield f"{RESERVED}: {reserved}{zero_note * (reserved == '0')}"
    if reserved not in {None, "0"}:
        yield (
            "events that arrived during the stop are in the on-failure queue: replay those of submissions; the jobs of "
            f"siblings are lost in {PROGRAM} status, and resume continues them"
        )
    going = plural(len(result["jobs_continuing"]), "job that had", "jobs that had")
    yield f"continuing: {going} not parked yet; {PROGRAM} resume JOB continues a parked job"


def _listed(jobs: list[str]) -> str:
    """Return the first jobs of a list, and how many more there are."""
    more = f", and {len(jobs) - _SHOWN:,} more; --json has all" if len(jobs) > _SHOWN else ""
    return ", ".join(jobs[:_SHOWN]) + more
