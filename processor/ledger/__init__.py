"""Who works on which job, from where, until when."""

from processor.ledger.dynamodb import REMEMBERED_SECONDS, DynamoLedger, Ledger, Unfenced
from processor.ledger.lease import Lease
from processor.ledger.record import (
    CHECKPOINT_LOST,
    COMPLETE,
    FAILED,
    FANNED_OUT,
    HANDED_OVER,
    LIVE,
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
    "FANNED_OUT",
    "HANDED_OVER",
    "LIVE",
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
