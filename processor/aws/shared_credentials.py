"""Credentials that a process has found once: one code of an MFA device, one sign-in, one credential process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiobotocore.credentials import AioCredentials

if TYPE_CHECKING:
    from datetime import datetime


class SharedCredentials(AioCredentials):
    """
    boto3's credentials behind aiobotocore's face: whoever asks, boto3 finds and refreshes them.

    :param found: What ``boto3.Session.get_credentials`` returns.
    """

    def __init__(self, found: Any) -> None:  # noqa: ANN401 - of any provider
        self._found, frozen = found, found.get_frozen_credentials()
        super().__init__(frozen.access_key, frozen.secret_key, frozen.token)

    async def get_frozen_credentials(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - as aiobotocore's own
        """Return the keys of now; a refresh may ask a service, or the person at the keyboard."""
        return await asyncio.to_thread(self._found.get_frozen_credentials)

    @property
    def _expiry_time(self) -> datetime | None:
        """When they end, where that is known; read by ``credentials_end``."""
        return getattr(self._found, "_expiry_time", None)
