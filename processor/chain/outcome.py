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

    :param complete:   The manifest has appeared; otherwise the checkpoint says where to continue.
    :param start:      Where the hop began.
    :param checkpoint: Where it stopped, with the counts of the whole run so far.
    :param size:       The manifest's bytes so far.
    :param seconds:    How long the hop took.
    :param wasted:     List requests of this hop that brought no page to the manifest.
    :param divided:    The job's ranges are divided between several chains, and some are not done.
    :param waiting:    Why these are not done, where chains have worked on them.
    """

    complete: bool
    start: Checkpoint
    checkpoint: Checkpoint
    size: int
    seconds: float = 0.0
    wasted: int = 0
    divided: bool = False
    waiting: str | None = None

    @property
    def steps(self) -> int:
        """How far this hop brought the job: pages of the listing, parts of the manifest, ranges for other chains."""
        if self.divided:
            return len(self.checkpoint.ranges)
        before, after = self.start.commit, self.checkpoint.commit
        parts = 0 if after is None else len(after.parts)
        if before is not None and after is not None and before.upload_id == after.upload_id:
            parts -= len(before.parts)
        return self.checkpoint.counts.pages - self.start.counts.pages + parts
