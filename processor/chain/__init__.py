"""
Where the capabilities meet: a hop of a chain of siblings, from event to manifest or to the next hop.

What signs is at hand at once; a hop is imported at its first use: a command that signs one URL must not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.chain.signer import distribution_of, open_job_signer

if TYPE_CHECKING:
    from processor.chain.hops import (
        Answer,
        CheckpointStore,
        Hop,
        Outcome,
        Response,
        SqsBatch,
        Status,
        open_ledger,
    )

__all__ = [
    "Answer",
    "CheckpointStore",
    "Hop",
    "Outcome",
    "Response",
    "SqsBatch",
    "Status",
    "distribution_of",
    "open_job_signer",
    "open_ledger",
]

if not TYPE_CHECKING:  # type checkers see the imports above, and no name besides

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from processor.chain import hops  # noqa: PLC0415 - see above

        return getattr(hops, name)
