"""``stop --all --undo``: what was stopped is restored from its record, or as the options name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presign_siblings.cli.stop_changes import RECORD
from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.remote.stopped import NONE, Stopped, reservation
from presign_siblings.remote.switches import RESERVED, Rule
from processor.plural import plural

if TYPE_CHECKING:
    from presign_siblings.cli.stop_changes import Changes


def undo_stop_all(changes: Changes, named: Stopped, *, dry: bool) -> dict[str, Any]:
    """
    Restore what the record holds and what is named; return what was restored.

    :param named: What to restore besides the record.
    :param dry:   Whether to change nothing, and only return what would be restored.
    :raises NotFoundError: There is no record, and nothing is named; the message gives the present state.
    :raises CommandError: Nothing is named, and the record cannot be read.
    """
    kept = _kept(changes, named)
    if kept is None and named == Stopped():
        missing = f": {changes.missing}" if changes.missing else ""
        raise NotFoundError(f"nothing is recorded as stopped{missing}, and nothing was changed. {_state(changes)}")
    kept = kept or Stopped()
    both = kept.joined(named)
    reserve = _number(both.concurrency)
    if not dry:
        _restore(changes, both, reserve)
    going = set(changes.under_way(stop=dry))  # in a dry run, they are still asked to stop
    left = changes.left
    return {
        "rules_enabled": sorted(both.rules - left),
        "mappings_enabled": sorted(both.mappings - left),
        "reserved_concurrency": None if RESERVED in left else both.concurrency or changes.zero(),
        "jobs_continuing": sorted(kept.jobs & going),
        "gone": changes.gone,
        "refused": changes.refused,
    }


def _kept(changes: Changes, named: Stopped) -> Stopped | None:
    """Return the record, if there is one; switches that are named can be restored without it."""
    found = None if changes.record is None else changes.look(RECORD, changes.record.read, None)
    if RECORD in changes.refused and named == Stopped():
        raise CommandError(
            f"nothing is restored: the jobs table {changes.table}, which records what was stopped: "
            f"{changes.refused[RECORD]}; --rule, --mapping and --concurrency restore without it"
        )
    return found


def _restore(changes: Changes, stopped: Stopped, reserve: int | None) -> None:
    """Undo all changes; keep the record if AWS refuses any."""
    changes.turn([Rule(name, enabled=False) for name in sorted(stopped.rules)], on=True)
    changes.open_mappings(sorted(stopped.mappings), on=True)
    if stopped.concurrency:
        changes.reserve(reserve)
    changes.set_stop(stopped.jobs, stop=False)
    if changes.record is not None and not changes.refused:
        changes.record.forget()


def _state(changes: Changes) -> str:
    """Return the present state as a sentence."""
    found = changes.switches(strict=True)
    states = [f"{rule.name} is {'on' if rule.enabled else 'off'}" for rule in found.rules]
    states += [
        f"mapping {each.name} of queue {each.source} is {'on' if each.enabled else 'off'}" for each in found.mappings
    ]
    states += [f"reserved concurrency: {reservation(found.concurrency)}"]
    stopping = len(changes.under_way(stop=True))
    states += [f"{plural(stopping, 'job under way is', 'jobs under way are')} asked to stop"]
    return f"Now: {'; '.join(states)}. --rule, --mapping and --concurrency change what should be otherwise"


def _number(written: str | None) -> int | None:
    if written is None or written == NONE:
        return None
    if not written.isdigit():
        raise WrongUseError("--concurrency takes a number, or none")
    return int(written)
