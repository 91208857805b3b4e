"""A run on this machine is one process's, whoever comes and goes beside it."""

from __future__ import annotations

import errno
import fcntl
from typing import TYPE_CHECKING

import pytest

from presign_siblings.errors import UnfinishedError
from presign_siblings.laptop.saved_checkpoint import CheckpointFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_that_its_holder_has_just_removed_is_worth_nothing(tmp_path: Path) -> None:
    """A third process may hold the file that has its name now; four that came and went in turns worked at once."""
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


def test_a_file_system_without_locks_takes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lustre and NFS without their locks: a run ended there with "No locks available"."""

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with CheckpointFile(tmp_path / "links.checkpoint").alone():
        assert (tmp_path / "links.checkpoint.lock").exists()
    assert not list(tmp_path.iterdir())
