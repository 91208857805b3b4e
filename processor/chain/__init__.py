"""Where the capabilities meet: a hop of a chain of siblings, from event to manifest or to the next hop."""

from processor.chain.answer import Answer, Response, Status
from processor.chain.checkpoint_store import CheckpointStore
from processor.chain.hop import Hop
from processor.chain.outcome import Outcome
from processor.chain.resources import open_ledger
from processor.chain.signer import distribution_of, open_job_signer
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
]
