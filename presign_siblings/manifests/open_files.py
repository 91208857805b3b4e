"""The limit of open files: raise it as far as many files at once need, and report when it is too low."""

from __future__ import annotations

import errno
from typing import Any

from presign_siblings.errors import CommandError

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None

PER_FILE = 3  # its connection, its part file, and its folder
OTHERS = 40  # other open files of a process
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})


def _limits() -> tuple[int, int]:
    """Return the soft and the hard limit."""
    return (0, 0) if resource is None else resource.getrlimit(resource.RLIMIT_NOFILE)


def allow(files: int) -> None:
    """
    Raise this process's limit to what it needs, at most to the hard limit: macOS begins with 256.

    :param files: How many are to be under way at once.
    """
    wanted, (soft, hard) = OTHERS + PER_FILE * files, _limits()
    if resource is None or soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def refuse_too_many(error: BaseException) -> None:
    """
    Raise an error about the number of open files as one about the limit: the file is not at fault.

    :raises CommandError: Too many files are open.
    """
    if isinstance(error, OSError) and error.errno in _TOO_MANY:
        limit = (
            f"lets a process open {_limits()[0] or 'few'} (ulimit -n)" if error.errno == errno.EMFILE else "has no more"
        )
        cause = f"this system {limit}, and each file takes up to {PER_FILE}"
        raise CommandError(f"too many open files: {cause}; lower --parallel") from None
