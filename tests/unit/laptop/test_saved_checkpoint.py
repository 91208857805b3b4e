"""A run on this machine belongs to one process at a time."""

from __future__ import annotations

import errno
import fcntl
from typing import TYPE_CHECKING

import pytest

from presign_siblings.errors import UnfinishedError
from presign_siblings.laptop.saved_checkpoint import CheckpointFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_that_its_holder_has_just_removed_is_worthless(tmp_path: Path) -> None:
    """A third process may hold a new file of that name: of four processes in turns, several worked at once."""
    run, flock = CheckpointFile(tmp_path / "links.checkpoint"), fcntl.flock

    def late(descriptor: int, how: int) -> None:
        (tmp_path / "links.checkpoint.lock").unlink()
        flock(descriptor, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        with pytest.raises(UnfinishedError, match="another process"), run.alone():
            pass
    with run.alone():
        assert (tmp_path / "links.checkpoint.lock").exists()


def test_a_run_starts_on_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Lustre and NFS without locks, a run ended with "No locks available"."""

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with CheckpointFile(tmp_path / "links.checkpoint").alone():
        assert (tmp_path / "links.checkpoint.lock").exists()
    assert not list(tmp_path.iterdir())
