"""What a run on this machine saves for ``--resume``: the next hop's payload, and a file's checkpoint too."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from presign_siblings.defaults import PRIVATE
from presign_siblings.errors import UnfinishedError, WrongUseError, naming
from presign_siblings.user_folders import user_folder
from processor.causes import why
from processor.chain import CheckpointStore
from processor.errors import CheckpointLostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from types_aiobotocore_s3 import S3Client

    from processor.job import Checkpoint, SiblingPayload

STATE = "XDG_STATE_HOME"  # names the folder for what programs keep between runs


class CheckpointFile:
    """
    A file with the ``resume`` payload of the last hop, and after it the checkpoint, unless that is an object in S3.

    :param path: The file; it is replaced as a whole, and readable by its owner alone.
    :param makes_folder: Whether its folder is this program's own, which may not exist yet.
    """

    def __init__(self, path: Path, *, makes_folder: bool = False) -> None:
        self.path, self._makes_folder = path, makes_folder

    def write(self, place: SiblingPayload, checkpoint: bytes = b"") -> None:
        """Replace the file: the old one stays until the new one is on the disk."""
        new = self.path.with_name(f"{self.path.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE)
        with naming(new), os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(place.to_resume()).encode() + b"\n" + checkpoint)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def read(self) -> tuple[dict[str, Any], bytes] | None:
        """
        Return the payload and the checkpoint, or ``None`` when nothing is saved.

        :raises CheckpointLostError: The file holds something else.
        """
        try:
            line, _, checkpoint = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        try:
            payload = json.loads(line)
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            raise CheckpointLostError(f"{self.path} is not a checkpoint of a run; remove it, and the run begins again")
        return payload, checkpoint

    def forget(self) -> None:
        """Remove the file: the run has ended for good."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """
        Keep other processes of this machine away from the run while the block runs.

        :raises UnfinishedError: Another process works on it.
        :raises WrongUseError: The folder does not exist, or cannot be made.
        """
        lock = self.path.with_name(f"{self.path.name}.lock")
        if self._makes_folder:
            _make(lock.parent)
        if not lock.parent.is_dir():
            raise WrongUseError(f"{lock.parent} is not a folder")
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)  # never through a symbolic link
        with os.fdopen(descriptor, "w"):
            if not _is_locked(descriptor):
                raise UnfinishedError(f"another process works on this run: it holds {lock}")
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)


class FileCheckpointStore(CheckpointStore):
    """
    Keeps the checkpoint itself in the saved file, for a manifest that is a file too.

    :param saved: The file.
    """

    def __init__(self, client: S3Client, run: SiblingPayload, saved: CheckpointFile) -> None:
        super().__init__(client, run)
        self._saved = saved

    async def save(self, checkpoint: Checkpoint) -> str:
        """Save the checkpoint; return a key for the payload, although no object has this key."""
        key = f"{self._run.job.checkpoint_prefix(self._run.job_id)}{checkpoint.hop:06d}-here"
        self._saved.write(self._run.after(checkpoint, key), checkpoint.to_bytes())
        return key

    async def load(self) -> Checkpoint:
        """
        Read the saved checkpoint.

        :raises CheckpointLostError: The checkpoint is gone, or belongs to another run.
        """
        if self._run.checkpoint_key is None:
            return self._run.begin()
        found = self._saved.read()
        if found is None:
            raise CheckpointLostError(f"{self._saved.path} is gone")
        return await self.decoded(found[1])


class ResumableS3CheckpointStore(CheckpointStore):
    """
    Keeps the checkpoint in S3, as the function does, and its key in the saved file.

    :param saved: The file.
    """

    def __init__(self, client: S3Client, run: SiblingPayload, saved: CheckpointFile) -> None:
        super().__init__(client, run)
        self._saved = saved

    async def save(self, checkpoint: Checkpoint) -> str:
        """Save the object first, and then the payload that names it."""
        key = await super().save(checkpoint)
        self._saved.write(self._run.after(checkpoint, key))
        return key


def saved_at(file: Path | None, event: Mapping[str, Any], endpoint_url: str | None) -> CheckpointFile:
    """
    Return where a run saves its checkpoint: beside the manifest's file, or under a name that the job's fields give.

    Dates in its prefix stay unresolved, so the name is the same each day.
    """
    if file is not None:
        return CheckpointFile(file.with_name(f"{file.name}.checkpoint"))
    asked = json.dumps([sorted(event.items()), endpoint_url], default=str)
    name = hashlib.sha256(asked.encode()).hexdigest()[:32]
    return CheckpointFile(user_folder(STATE, ".local", "state") / f"{name}.checkpoint", makes_folder=True)


def _is_locked(descriptor: int) -> bool:
    """
    Lock a file, and return whether that succeeded.

    The lock is worth nothing if the former holder has removed the file: another process may hold a new one of its name.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a network file system may have no locks
    return os.fstat(descriptor).st_nlink > 0


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUseError(f"{why(error)}: a run into S3 keeps its checkpoint there, or where {STATE} says") from error
