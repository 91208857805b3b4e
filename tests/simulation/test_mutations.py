"""
Each safeguard is needed: without it, one of the first histories breaks an invariant.

What is too rare for a history has a test of its own, beside the one that misses it: ``look_that_it_is_missed``.
"""

from __future__ import annotations

import pytest

from tests.simulation.history import play
from tests.simulation.mutations import MUTATIONS, Mutation

HISTORIES = 400


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
