"""Give a complete file its name, and never replace another."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EXDEV})
"""Errors of a file system that lacks a call."""


def appear(made: Path, path: Path) -> None:
    """
    Give a file its name by a hard link, which never replaces a file as a rename does.

    :param made: The file under the name that it was written with.
    :raises FileExistsError: The name is taken; ``made`` keeps its name.
    """
    try:
        os.link(made, path)
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise
        if path.exists():  # no hard links on this file system
            raise FileExistsError(path) from error
        made.rename(path)
    else:
        made.unlink()
