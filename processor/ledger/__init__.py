"""Who works on which job, from where, until when."""

from processor.ledger.claim import Claim, Decision, Verdict
from processor.ledger.dynamodb import REMEMBERED_SECONDS, DynamoLedger
from processor.ledger.lease import Lease
from processor.ledger.ledger import Ledger, Unfenced
from processor.ledger.record import (
    CHECKPOINT_LOST,
    COMPLETE,
    FAILED,
    FANNED_OUT,
    HANDED_OVER,
    LIVE,
    PARKED,
    RUNNING,
    Record,
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
