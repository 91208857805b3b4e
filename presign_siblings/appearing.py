"""A file that is whole gets its name, and never takes the place of another."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EXDEV})
"""What a file system answers that lacks a call."""


def appear(made: Path, path: Path) -> None:
    """
    Give a file its name; unlike a rename, a link never replaces.

    :param made: The file under the name that it was written with.
    :raises FileExistsError: The name is taken; the file keeps its own.
    """
    try:
        os.link(made, path)
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise
        if path.exists():  # no hard links on this file system: a look must do
            raise FileExistsError(path) from error
        made.rename(path)
    else:
        made.unlink()
