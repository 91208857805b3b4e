"""What every client of S3 is configured with, boto3's and aiobotocore's alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from processor.job import Reach, endpoint

if TYPE_CHECKING:
    from botocore.session import Session

CONNECT_SECONDS = 5
DEFAULT_REACH = Reach()
_STYLES = frozenset({"path", "virtual"})


def configured_endpoint(session: Session) -> str | None:
    """
    Return the endpoint of S3 that the environment names, or the profile in a config file, in the SDK's order.

    :raises InvalidEventError: It is not written as a URL.
    """
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    profile = session.get_scoped_config()
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    found: str | None = (
        os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
        or services.get("s3", {}).get("endpoint_url")
        or profile.get("endpoint_url")
    )
    return endpoint("endpoint_url", found) if found else None


def s3_settings(session: Session, reach: Reach, endpoint_url: str | None) -> dict[str, Any]:
    """
    Return the arguments of a ``Config`` that say how S3 is reached.

    SigV4 and the regional address are stated, because botocore's default still presigns SigV2 on the global host in old
    regions. A GetObject that asks for a checksum is refused by Backblaze B2.

    :param session:      Its profile may say ``s3.addressing_style``.
    :param endpoint_url: An endpoint, also one of AWS's own, takes the path style unless a setting or the profile says
                         otherwise, as in boto3 and the AWS CLI.
    """
    configured = session.get_scoped_config().get("s3") or {}
    chosen = configured.get("addressing_style") if isinstance(configured, dict) else None
    style = reach.style or (chosen if chosen in _STYLES else "path" if endpoint_url else "virtual")
    return {
        "signature_version": "s3v4",
        "s3": {"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": reach.read_seconds,
        "response_checksum_validation": "when_required",
    }
