"""What a hop has done, as data: for the guards, the answer and the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processor.job import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How a hop ended.

    :param complete:   The manifest has appeared; otherwise the checkpoint says where to go on.
    :param start:      Where the hop began.
    :param checkpoint: Where it stopped, with the counts of the whole run so far.
    :param size:       The manifest's bytes so far.
    :param seconds:    How long the hop took.
    :param wasted:     List requests of this hop that brought no page to the manifest.
    """

    complete: bool
    start: Checkpoint
    checkpoint: Checkpoint
    size: int
    seconds: float = 0.0
    wasted: int = 0

    @property
    def steps(self) -> int:
        """How far this hop brought the chain: pages of the listing, and parts of the manifest."""
        before, after = self.start.commit, self.checkpoint.commit
        parts = 0 if after is None else len(after.parts)
        if before is not None and after is not None and before.upload_id == after.upload_id:
            parts -= len(before.parts)
        return self.checkpoint.counts.pages - self.start.counts.pages + parts
