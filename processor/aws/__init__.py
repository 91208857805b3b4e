"""Clients, credentials and what every request carries."""

from processor.aws.clients import (
    SigningCredentials,
    apply_settings,
    credentials_end,
    open_dynamodb,
    open_events,
    open_s3,
)
from processor.aws.connections import Connections
from processor.aws.credentials import role_credentials, secret_credentials

__all__ = [
    "Connections",
    "SigningCredentials",
    "apply_settings",
    "credentials_end",
    "open_dynamodb",
    "open_events",
    "open_s3",
    "role_credentials",
    "secret_credentials",
]
