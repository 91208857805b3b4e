"""
Clients, credentials and what every request carries.

The asynchronous clients are imported at their first use: a command that asks AWS one thing must not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.at_first_use import at_first_use
from processor.aws.client_config import configured_endpoint, s3_settings
from processor.aws.credentials import role_credentials, secret_credentials, secret_text
from processor.aws.every_request import apply_settings, name_endpoint
from processor.aws.service_models import SERVICE_MODELS
from processor.aws.signing_credentials import SigningCredentials, credentials_end, frozen

if TYPE_CHECKING:
    from processor.aws.clients import is_of_role, open_dynamodb, open_events, open_s3, secret_key
    from processor.aws.connections import Connections
    from processor.aws.shared_credentials import SharedCredentials

__all__ = [
    "SERVICE_MODELS",
    "Connections",
    "SharedCredentials",
    "SigningCredentials",
    "apply_settings",
    "configured_endpoint",
    "credentials_end",
    "frozen",
    "is_of_role",
    "name_endpoint",
    "open_dynamodb",
    "open_events",
    "open_s3",
    "role_credentials",
    "s3_settings",
    "secret_credentials",
    "secret_key",
    "secret_text",
]

if not TYPE_CHECKING:  # type checkers see the imports above, and no name besides
    # aiohttp takes 0.1 s.
    __getattr__ = at_first_use(
        __name__,
        dict.fromkeys(
            ("is_of_role", "open_dynamodb", "open_events", "open_s3", "secret_key"),
            "processor.aws.clients",
        )
        | {
            "Connections": "processor.aws.connections",
            "SharedCredentials": "processor.aws.shared_credentials",
        },
    )
