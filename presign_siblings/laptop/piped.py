"""A source that can be read only once: standard input, or another pipe such as the shell's ``<(...)``."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presign_siblings.errors import naming
from presign_siblings.manifests.location import STDIN, Place, place
from presign_siblings.manifests.reader import opened
from presign_siblings.manifests.sorted_runs import passing

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "file://"


def piped(source: str | None) -> Place | None:
    """
    Return a place that can be read only once; ``None`` where the source can be read again.

    :param source: A place as an option or an argument has it.
    """
    if source is None:
        return None
    found = place(source.removeprefix(FILE))
    return found if found == STDIN or (isinstance(found, Path) and found.is_fifo()) else None


@contextmanager
def copied(pipe: Place) -> Iterator[Path]:
    """Copy a pipe into a private file while the block runs: a run reads the parts of its source as it needs them."""
    with passing(tempfile.NamedTemporaryFile(prefix="presign-siblings-")) as copy:
        with naming(copy.name), opened(pipe, _no_client) as stream:
            shutil.copyfileobj(stream, copy)
            copy.flush()
        yield Path(copy.name)


def _no_client() -> Any:  # noqa: ANN401 - there is none
    raise AssertionError("a pipe needs no client")
