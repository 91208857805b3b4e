"""obstore's ``sign``, a batch at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import obstore

from benchmarks.peers.obstore_batches import store_for
from benchmarks.signers.timing import timed

if TYPE_CHECKING:
    from benchmarks.work import Work


def run(work: Work) -> dict[str, float]:
    """Time it."""
    store, expires = store_for(work), timedelta(seconds=work.expiry_seconds)
    return timed(work, lambda batches: sum([len(obstore.sign(store, "GET", batch, expires)) for batch in batches]))
