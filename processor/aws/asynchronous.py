"""What needs aioboto3, for the face of this package."""

from processor.aws.clients import is_of_role, open_dynamodb, open_events, open_s3, open_states, secret_key
from processor.aws.connections import Connections
from processor.aws.shared_credentials import SharedCredentials

__all__ = [
    "Connections",
    "SharedCredentials",
    "is_of_role",
    "open_dynamodb",
    "open_events",
    "open_s3",
    "open_states",
    "secret_key",
]
