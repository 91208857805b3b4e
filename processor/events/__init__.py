"""What may start a job, read into one form."""

from processor.events.event_kinds import Batch, Invalid, One
from processor.events.sqs import Message
from processor.events.task_token import withheld
from processor.events.triggers import Surroundings, is_batch, is_kept, one_of, read, read_one
from processor.events.unfit_event import unfit

__all__ = [
    "Batch",
    "Invalid",
    "Message",
    "One",
    "Surroundings",
    "is_batch",
    "is_kept",
    "one_of",
    "read",
    "read_one",
    "unfit",
    "withheld",
]
