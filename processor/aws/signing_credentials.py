"""The credentials that sign: whose they are, what they are now, and when they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, CredentialRetrievalError
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client


@dataclass(frozen=True, slots=True)
class SigningCredentials:
    """
    Credentials that sign URLs in place of the function's own.

    :param token:      Session token; IAM users have none.
    :param expires_at: When the credentials end, UTC; ``None`` when they do not end.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


def frozen(found: Any) -> Any:  # noqa: ANN401 - of any provider
    """
    Return the keys of now.

    :raises CredentialRetrievalError: The provider gave credentials that had ended, for which botocore raises a
                                      RuntimeError, or an answer without credentials, which its parser shows whole.
    """
    try:
        return found.get_frozen_credentials()
    except (RuntimeError, LookupError, ValueError, TypeError, ResponseParserError) as error:
        if isinstance(error, BotoCoreError):
            raise
        reason = error if isinstance(error, RuntimeError) else "its answer holds no credentials"
        raise CredentialRetrievalError(provider=getattr(found, "method", "its source"), error_msg=reason) from None


def credentials_end(client: S3Client, signing: SigningCredentials | None) -> datetime | None:
    """Return when the signing credentials end, UTC, where that is known; Lambda's environment does not say so."""
    if signing is not None:
        return signing.expires_at
    signer: Any = getattr(client, "_request_signer", None)
    end: datetime | None = getattr(getattr(signer, "_credentials", None), "_expiry_time", None)
    return None if end is None else end.astimezone(UTC)  # botocore keeps the offset that the source has written
