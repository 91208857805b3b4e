"""``stop --all``: everything that starts hops is turned off, and every job parks; recorded before it is done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from presign_siblings.cli.program import PROGRAM
from presign_siblings.cli.stop_changes import JOBS, RECORD
from presign_siblings.remote.stopped import Stopped, reservation
from presign_siblings.remote.switches import RESERVED

if TYPE_CHECKING:
    from presign_siblings.cli.stop_changes import Changes
    from presign_siblings.remote.switches import Switches


def stop_all(changes: Changes, named: str, *, now: bool, dry: bool) -> dict[str, Any]:
    """
    Stop, and return what was changed.

    :param named: The options that name the function.
    :param now:   Whether to reserve a concurrency of 0 too.
    :param dry:   Whether to change nothing, and only return what would be changed.
    """
    before = changes.switches()
    now = now and RESERVED not in changes.refused  # what was not seen could not be restored
    # A chain may park as soon as the rules are off; it counts as stopped by this command.
    under_way = changes.under_way(stop=False)
    stopped = Stopped(
        rules=frozenset(rule.name for rule in before.rules if rule.enabled),
        mappings=frozenset(each.name for each in before.mappings if each.enabled),
        jobs=frozenset(under_way),
        concurrency=reservation(before.concurrency) if now and before.concurrency != 0 else None,
    )
    if not dry:
        _stop(changes, stopped, before, now=now)
    left = changes.left
    reserved = 0 if now and RESERVED not in left else before.concurrency
    result = {
        "rules_disabled": sorted(stopped.rules - left),
        "mappings_disabled": sorted(stopped.mappings - left),
        "reserved_concurrency": {"before": before.concurrency, "now": reserved},
        "jobs_stopping": sorted({*(() if JOBS in left else under_way), *changes.under_way(stop=True)}),
        "refused": changes.refused,
    }
    options = "" if changes.record is not None and RECORD not in left else _by_hand(result)
    return {**result, "undo": f"{PROGRAM} stop --all --undo {named}{options}"}


def _stop(changes: Changes, stopped: Stopped, before: Switches, *, now: bool) -> None:
    """Record the changes, then make them."""
    if changes.record is not None:
        changes.attempt(RECORD, partial(changes.record.add, stopped))
    changes.turn(before.rules, on=False)
    changes.open_mappings(stopped.mappings, on=False)
    if now:
        changes.reserve(0)
    changes.set_stop([*stopped.jobs, *changes.under_way(stop=False)], stop=True)


def _by_hand(result: dict[str, Any]) -> str:
    """Return the options for --undo where no table keeps a record."""
    names = (f" --{kind} {name}" for kind in ("rule", "mapping") for name in result[f"{kind}s_disabled"])
    reserved = result["reserved_concurrency"]
    changed = reserved["now"] != reserved["before"]
    return "".join(names) + (f" --concurrency {reservation(reserved['before'])}" if changed else "")
