"""What a hop needs, for the face of this package."""

from processor.chain.answer import Answer, Response, Status
from processor.chain.checkpoint_store import CheckpointStore
from processor.chain.hop import Hop
from processor.chain.outcome import Outcome
from processor.chain.resources import open_ledger
from processor.chain.sqs_batch import SqsBatch

__all__ = ["Answer", "CheckpointStore", "Hop", "Outcome", "Response", "SqsBatch", "Status", "open_ledger"]
