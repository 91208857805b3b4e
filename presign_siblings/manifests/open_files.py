"""How many files may be open at once: what many files at once need is asked for, and told where it is too little."""

from __future__ import annotations

import errno
from typing import Any

from presign_siblings.errors import CommandError

resource: Any
try:
    import resource
except ImportError:  # Windows
    resource = None

PER_FILE = 3  # its connection, what is written of it, and its folder
OTHERS = 40  # what a process has open besides
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})


def _limits() -> tuple[int, int]:
    """Return the soft and the hard limit."""
    return (0, 0) if resource is None else resource.getrlimit(resource.RLIMIT_NOFILE)


def allow(files: int) -> None:
    """
    Let this process open what it needs, as far as its hard limit goes: macOS begins with 256.

    :param files: At once.
    """
    wanted, (soft, hard) = OTHERS + PER_FILE * files, _limits()
    if resource is None or soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def refuse_too_many(error: BaseException) -> None:
    """
    Tell an error that is about the number of open files by the limit: it is no fault of the file that met it.

    :raises CommandError: The error is one.
    """
    if isinstance(error, OSError) and error.errno in _TOO_MANY:
        limit = (
            f"lets a process open {_limits()[0] or 'few'} (ulimit -n)" if error.errno == errno.EMFILE else "has no more"
        )
        told = f"this system {limit}, and each file takes up to {PER_FILE}"
        raise CommandError(f"too many open files: {told}; lower --parallel") from None
