"""Clients, credentials and what every request carries."""

from processor.aws.client_config import s3_settings
from processor.aws.clients import (
    SigningCredentials,
    apply_settings,
    credentials_end,
    is_of_role,
    name_endpoint,
    open_dynamodb,
    open_events,
    open_s3,
    open_states,
    secret_key,
)
from processor.aws.connections import Connections
from processor.aws.credentials import role_credentials, secret_credentials, secret_text
from processor.aws.shared_credentials import SharedCredentials, frozen

__all__ = [
    "Connections",
    "SharedCredentials",
    "SigningCredentials",
    "apply_settings",
    "credentials_end",
    "frozen",
    "is_of_role",
    "name_endpoint",
    "open_dynamodb",
    "open_events",
    "open_s3",
    "open_states",
    "role_credentials",
    "s3_settings",
    "secret_credentials",
    "secret_key",
    "secret_text",
]
