"""
Each safeguard is needed: without it, one of the first histories breaks an invariant.

What is too rare for a history has a test of its own, beside the one that misses it: ``assert_the_test_misses_it``.
"""

from __future__ import annotations

import pytest

from tests.simulation.history import play
from tests.simulation.mutations import MUTATIONS, Mutation

HISTORIES = 400


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.without)
def test_a_history_needs_the_safeguard(mutation: Mutation) -> None:
    """The same history passes with it, so the breach is the mutation's, even where the plan was changed for it."""
    seed = _missing(mutation)
    assert seed is not None, f"{HISTORIES} histories do not need {mutation.without}"
    report = play(seed, **mutation.meeting)
    assert not report.breaches, f"seed {seed} with {mutation.meeting}:\n{report}"


def _missing(mutation: Mutation) -> int | None:
    """Return the seed of the first history that needs it."""
    with mutation.patch():
        for seed in range(HISTORIES):
            breaches = play(seed, finds=mutation.finds, **mutation.meeting).breaches
            if any(mutation.finds in breach for breach in breaches):
                return seed
    return None
