"""Credentials that a process has found once: one code of an MFA device, one sign-in, one credential process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from aiobotocore.credentials import AioCredentials

from processor.aws.signing_credentials import frozen


class SharedCredentials(AioCredentials):
    """
    boto3's credentials for aiobotocore's clients: boto3 finds and refreshes them.

    Those that end are kept for half of the time that is left. boto3 asks for new ones at each request once less than 10
    minutes are left, and some programs and services never give more: each key would be signed by another session.

    :param found:   What ``boto3.Session.get_credentials`` returns.
    :param profile: The session's profile, and its region, which the clients have too.
    """

    def __init__(self, found: Any, profile: str | None = None, region: str | None = None) -> None:  # noqa: ANN401 - of any provider
        self.profile, self.region = profile, region
        self._found, self._end, self._until = found, None, datetime.min.replace(tzinfo=UTC)
        self._kept = self._ask()
        super().__init__(self._kept.access_key, self._kept.secret_key, self._kept.token)

    def _ask(self) -> Any:  # noqa: ANN401 - botocore's
        kept, now = frozen(self._found), datetime.now(UTC)
        self._end = getattr(self._found, "_expiry_time", None)
        self._until = now if self._end is None else now + (self._end - now) / 2
        return kept

    async def get_frozen_credentials(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - as aiobotocore's own
        """Return the keys of now; a refresh may ask a service, or the person at the keyboard."""
        if self._end is None:  # nothing refreshes them; a thread for each request costs as much as 50 keys
            self._kept = self._ask()
        elif datetime.now(UTC) >= self._until:
            self._kept = await asyncio.to_thread(self._ask)
        return self._kept

    @property
    def _expiry_time(self) -> datetime | None:
        """When the credentials end, where that is known; read by ``credentials_end``."""
        return self._end
