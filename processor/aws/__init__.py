"""
Clients, credentials and what every request carries.

The asynchronous clients are imported at their first use: a command that asks AWS one thing must not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.aws.client_config import s3_settings
from processor.aws.credentials import role_credentials, secret_credentials, secret_text
from processor.aws.every_request import apply_settings, name_endpoint
from processor.aws.service_models import SERVICE_MODELS
from processor.aws.signing_credentials import SigningCredentials, credentials_end, frozen

if TYPE_CHECKING:
    from processor.aws.asynchronous import (
        Connections,
        SharedCredentials,
        is_of_role,
        open_dynamodb,
        open_events,
        open_s3,
        open_states,
        secret_key,
    )

__all__ = [
    "SERVICE_MODELS",
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

if not TYPE_CHECKING:  # type checkers see the imports above, and no name besides

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from processor.aws import asynchronous  # noqa: PLC0415 - aiohttp takes 0.1 s

        return getattr(asynchronous, name)
