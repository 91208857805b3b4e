"""Seeded histories of faults, duplicates, delays and kills: each ends with exact manifests."""

from __future__ import annotations

import pytest

from tests.simulation.history import play

BLOCKS, HISTORIES = 24, 25  # `make soak` goes on with others


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_chain_never_loses_never_repeats_and_never_runs_away(block: int) -> None:
    """Whatever is drawn from the seed; a failure prints it, and ``python -m tests.simulation --seed`` replays it."""
    for seed in range(block * HISTORIES, (block + 1) * HISTORIES):
        report = play(seed)
        assert not report.breaches, f"seed {seed}:\n{report}"
