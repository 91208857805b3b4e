"""Seeded histories of faults, duplicates, delays and kills: each ends with exact manifests."""

from __future__ import annotations

import pytest

from tests.simulation.history import play

BLOCKS, HISTORIES = 24, 25  # `make soak` plays others


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_chain_loses_no_key_repeats_none_and_never_runs_away(block: int) -> None:
    """Whatever the seed draws; a failure prints it, and ``python -m tests.simulation --seed`` replays it."""
    for seed in range(block * HISTORIES, (block + 1) * HISTORIES):
        report = play(seed)
        assert not report.breaches, f"seed {seed}:\n{report}"
