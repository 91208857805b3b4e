"""What may start a job, read into one form."""

from processor.events.sqs import Message
from processor.events.triggers import Submission

__all__ = [
    "Message",
    "Submission",
]
