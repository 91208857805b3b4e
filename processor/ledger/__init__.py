"""
Who works on which job, from where, until when.

Records are at hand at once, which a command reads; what works on a job is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.at_first_use import at_first_use
from processor.ledger.record import (
    CHECKPOINT_LOST,
    COMPLETE,
    FAILED,
    FANNED_OUT,
    HANDED_OVER,
    LIVE,
    NO_PROGRESS,
    PARKED,
    RESUMABLE,
    RUNNING,
    Record,
    instant,
)

if TYPE_CHECKING:
    from processor.ledger.claim import Claim, Decision, Verdict
    from processor.ledger.dynamodb import DynamoLedger
    from processor.ledger.lease import Lease
    from processor.ledger.ledger import Ledger, Unfenced

__all__ = [
    "CHECKPOINT_LOST",
    "COMPLETE",
    "FAILED",
    "FANNED_OUT",
    "HANDED_OVER",
    "LIVE",
    "NO_PROGRESS",
    "PARKED",
    "RESUMABLE",
    "RUNNING",
    "Claim",
    "Decision",
    "DynamoLedger",
    "Lease",
    "Ledger",
    "Record",
    "Unfenced",
    "Verdict",
    "instant",
]

if not TYPE_CHECKING:  # type checkers see the imports above, and no name besides
    __getattr__ = at_first_use(
        __name__,
        dict.fromkeys(("Claim", "Decision", "Verdict"), "processor.ledger.claim")
        | dict.fromkeys(("Ledger", "Unfenced"), "processor.ledger.ledger")
        | {"DynamoLedger": "processor.ledger.dynamodb", "Lease": "processor.ledger.lease"},
    )
