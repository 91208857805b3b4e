"""The checkpoints of a run's processes: a file for each range, beside the run's own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from presign_siblings.laptop.file_pieces import PRIVATE_FOLDER
from presign_siblings.laptop.saved_checkpoint import CheckpointFile
from processor.errors import CheckpointLostError, InvalidEventError
from processor.job import SiblingPayload

if TYPE_CHECKING:
    from processor.job import DeploymentSettings


class RangeFiles:
    """
    The checkpoint files of a run's ranges.

    :param saved:      The run's own checkpoint.
    :param deployment: Bounds what a saved place may name.
    """

    def __init__(self, saved: CheckpointFile, deployment: DeploymentSettings) -> None:
        self.folder, self._deployment = saved.path.with_name(f"{saved.path.name}.ranges"), deployment

    def of(self, number: int) -> CheckpointFile:
        """Return the file of a range."""
        self.folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
        return CheckpointFile(self.folder / f"{number:06d}")

    def place(self, of_range: SiblingPayload) -> SiblingPayload | None:
        """
        Return where a range continues; ``None``, so that it begins again, where its file does not exist, is of another
        run, or cannot be read.

        :param of_range: Where it begins.
        """
        if of_range.share is None:
            return None
        try:
            found = self.of(of_range.share.number).read()
            place = None if found is None else SiblingPayload.from_payload(found[0], self._deployment)
        except (CheckpointLostError, InvalidEventError):
            return None
        if place is None or place.share is None or place.job_id != of_range.job_id:
            return None
        # A later start of the run gives the same range out.
        return place if replace(place.share, start=of_range.share.start) == of_range.share else None

    @property
    def highest(self) -> int:
        """The highest number of a range whose file is here, or -1: a file is of one range, as long as the run lasts."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return max((int(path.name) for path in found if path.name.isdecimal()), default=-1)

    def forget(self) -> None:
        """Remove all files."""
        if self.folder.is_dir() and not self.folder.is_symlink():
            shutil.rmtree(self.folder)
