"""A source that can be read only once is copied for the run that reads it."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from presign_siblings.laptop.piped import copied, piped

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_is_reported_with_the_file_that_the_run_wrote(tmp_path: Path) -> None:
    """Not with the copy, which is complete by then."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a.pdf\n",))
    writer.start()
    found = piped(str(pipe))
    assert found == pipe
    with pytest.raises(OSError, match="full") as raised, copied(found) as copy:
        run(copy)
    writer.join()
    assert raised.value.filename == "links.jsonl"
    assert not copy.exists()


def run(source: Path) -> None:
    """Read the source, and fail at the manifest for lack of space."""
    assert source.read_bytes() == b"a.pdf\n"
    raise OSError(errno.ENOSPC, "full", "links.jsonl")
