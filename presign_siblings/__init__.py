"""
Presign every PDF under an S3 prefix, and use the manifest: the command line, and a small Python API.

``read_manifest`` and ``run_job`` are described in ``presign_siblings.api``. They are imported at their first use, since
the command line imports this package too, and must not wait for boto3.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes 10 ms, in which Ctrl-C would print a traceback

try:
    from processor.at_first_use import at_first_use
except ImportError as error:
    from importlib.util import find_spec

    if (found := find_spec("processor")) is None:
        raise
    raise ImportError(
        f"presign_siblings needs its own package processor, which another module hides, {found.origin}: rename that "
        "one, let Python look elsewhere first (python -P, PYTHONPATH), or where pip has installed it, give each an "
        "environment of its own (pipx)"
    ) from error

if TYPE_CHECKING:
    from presign_siblings.api import CommandError, Entry, PresignSiblingsError, Run, read_manifest, run_job

__all__ = ["CommandError", "Entry", "PresignSiblingsError", "Run", "read_manifest", "run_job"]


if not TYPE_CHECKING:  # type checkers see the imports above, and refuse other names
    __getattr__ = at_first_use(__name__, dict.fromkeys(__all__, "presign_siblings.api"))


def __dir__() -> list[str]:
    return [*globals(), *__all__]
