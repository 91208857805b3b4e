"""botocore itself, synchronous and offline: the signer and the parser are compared with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_LOADER = Loader(include_default_search_paths=True)


def make_client(
    region: str = "eu-west-1",
    *,
    endpoint: str | None = None,
    token: str | None = None,
    signature_version: str = "s3v4",
    s3: dict[str, Any] | None = None,
    **config: Any,
) -> Any:
    """Return botocore's own S3 client, with no configuration but the given one."""
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    session.set_credentials(ACCESS_KEY, SECRET_KEY, token)
    addressing: Any = {"us_east_1_regional_endpoint": "regional", **(s3 or {})}
    settings = Config(
        signature_version=signature_version,
        s3=addressing,
        retries={"total_max_attempts": 1},
        **config,
    )
    return session.create_client("s3", region_name=region, endpoint_url=endpoint, config=settings)


@dataclass
class Asynchronous:
    """
    A synchronous client in place of an aiobotocore client.

    :param presigned: Number of URLs that it has presigned.
    """

    client: Any
    presigned: int = field(default=0)

    async def generate_presigned_url(self, method: str, **arguments: Any) -> str:
        """Presign; it is no I/O."""
        self.presigned += 1
        return str(self.client.generate_presigned_url(method, **arguments))


@dataclass
class Clock:
    """One clock for botocore and for the signer, moved by the test."""

    now: datetime

    def __call__(self, remove_tzinfo: bool = False) -> datetime:  # noqa: FBT001, FBT002 - botocore.compat's
        """Return the instant; botocore wants it without its zone."""
        return self.now.replace(tzinfo=None) if remove_tzinfo else self.now

    def freeze(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Let botocore's signers read this clock."""
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: self(remove_tzinfo=True))
        return self
