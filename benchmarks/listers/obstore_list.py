"""obstore's lister alone, by its fast path: its list call has one chain, whatever the concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers.obstore_batches import chunks, store_for

if TYPE_CHECKING:
    from benchmarks.work import Work


def run(work: Work) -> int:
    """List, and return the number of keys."""
    return sum(len(chunk) for chunk in chunks(store_for(work), work.prefix))
