"""
Where the capabilities meet: a hop of a chain of siblings, from event to manifest or to the next hop.

What signs is at hand at once; a hop is imported at its first use: a command that signs one URL must not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.at_first_use import at_first_use
from processor.chain.signer import distribution_of, open_job_signer

if TYPE_CHECKING:
    from processor.chain.answer import Answer, Response, Status
    from processor.chain.checkpoint_store import CheckpointStore
    from processor.chain.hop import Hop
    from processor.chain.outcome import Outcome
    from processor.chain.resources import open_ledger
    from processor.chain.signing_secrets import signing_credentials, signing_distribution
    from processor.chain.sqs_batch import SqsBatch

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
    "signing_credentials",
    "signing_distribution",
]

if not TYPE_CHECKING:  # type checkers see the imports above, and no name besides
    __getattr__ = at_first_use(
        __name__,
        dict.fromkeys(("Answer", "Response", "Status"), "processor.chain.answer")
        | dict.fromkeys(("signing_credentials", "signing_distribution"), "processor.chain.signing_secrets")
        | {
            "CheckpointStore": "processor.chain.checkpoint_store",
            "Hop": "processor.chain.hop",
            "Outcome": "processor.chain.outcome",
            "SqsBatch": "processor.chain.sqs_batch",
            "open_ledger": "processor.chain.resources",
        },
    )
