"""
Presign every PDF under an S3 prefix, and use the manifest: the command line, and a small face for Python.

``read_manifest`` and ``run_job`` are described in ``presign_siblings.api``. They are imported at their first use, since
the command line imports this package too, and must not wait for boto3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presign_siblings.api import CommandError, Entry, PresignSiblingsError, Run, read_manifest, run_job

__all__ = ["CommandError", "Entry", "PresignSiblingsError", "Run", "read_manifest", "run_job"]


if not TYPE_CHECKING:  # type checkers see the imports above, and no name besides

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from presign_siblings import api  # noqa: PLC0415 - see above

        return getattr(api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
