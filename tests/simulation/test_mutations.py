"""Each safeguard is needed: without it, one of the first histories breaks an invariant, or a test fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from processor.chain import execution
from processor.ledger import record
from processor.siblings import guards
from tests.simulation.history import play
from tests.simulation.mutations import MUTATIONS, Mutation, always_progress, for_ever, put, wrapped
from tests.unit.chain import test_hop
from tests.unit.ledger import test_record
from tests.unit.siblings import test_guards

if TYPE_CHECKING:
    from collections.abc import Callable

HISTORIES = 400

# Too rare in a history, or never in one: each with the test that misses it.
OTHERS: tuple[tuple[Mutation, Callable[[], None]], ...] = (
    (
        Mutation("the progress guard", wrapped(guards.Guards, "check", always_progress)),
        test_guards.test_no_progress_parks_before_anything_is_asked,
    ),
    (
        Mutation("the death of an earlier commit", put(execution, "_dying_first", lambda start, _: start)),
        test_hop.test_a_take_over_counts_with_the_commit_before_it,
    ),
    (
        Mutation("the gap in the part numbers", put(record, "PARTS_SKIPPED", 0)),
        test_record.test_part_numbers__a_take_over_leaves_a_gap,
    ),
    (
        Mutation("the end of a finished record", wrapped(record.Claim, "_of_submission", for_ever)),
        test_record.test_a_finished_job_answers_while_its_urls_live,
    ),
    (
        Mutation("the limit of take-overs", put(record, "MAX_TAKEOVERS", 10**9)),
        test_record.test_three_take_overs_without_progress_are_the_end,
    ),
    (
        Mutation("the reasons that only a person lifts", put(record, "FINAL_REASONS", frozenset())),
        lambda: test_record.test_parked__by_budget_progress_or_a_person_no_submission_goes_on("max_hops"),
    ),
)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.without)
def test_without_it_a_history_breaks(mutation: Mutation) -> None:
    """The very seeds that hold with it."""
    with mutation.patch():
        for seed in range(HISTORIES):
            if any(mutation.finds in breach for breach in play(seed, **mutation.meeting).breaches):
                return
    pytest.fail(f"{HISTORIES} histories do not miss {mutation.without}")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("meeting", [mutation.meeting for mutation in MUTATIONS if mutation.meeting])
def test_what_is_met_sooner_holds_with_every_safeguard(meeting: dict[str, object]) -> None:
    """The breach is the mutation's, not the changed plan's."""
    for seed in range(HISTORIES // 10):
        report = play(seed, **meeting)
        assert not report.breaches, f"seed {seed} with {meeting}:\n{report}"


@pytest.mark.parametrize(("mutation", "test"), OTHERS, ids=lambda value: getattr(value, "without", ""))
def test_without_it_a_test_fails(mutation: Mutation, test: Callable[[], None]) -> None:
    """That test, in this process; with it, it passes."""
    test()
    with mutation.patch(), pytest.raises(AssertionError):
        test()
