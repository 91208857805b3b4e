"""Who works on which job, from where, until when."""

from processor.ledger.dynamodb import REMEMBERED_SECONDS, DynamoLedger, Ledger, Unfenced
from processor.ledger.lease import Lease
from processor.ledger.record import (
    CHECKPOINT_LOST,
    COMPLETE,
    FAILED,
    HANDED_OVER,
    PARKED,
    RUNNING,
    Claim,
    Decision,
    Record,
    Verdict,
)

__all__ = [
    "CHECKPOINT_LOST",
    "COMPLETE",
    "FAILED",
    "HANDED_OVER",
    "PARKED",
    "REMEMBERED_SECONDS",
    "RUNNING",
    "Claim",
    "Decision",
    "DynamoLedger",
    "Lease",
    "Ledger",
    "Record",
    "Unfenced",
    "Verdict",
]
