"""The options that say how AWS is reached, as variables of the environment."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from presign_siblings.defaults import CHOSEN_PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "S3_READ_TIMEOUT",
    "REQUEST_PAYER",
)
OTHER_PROFILE = "AWS_DEFAULT_PROFILE"  # botocore reads it before AWS_PROFILE
OTHER_BUNDLE = "REQUESTS_CA_BUNDLE"  # if empty, botocore accepts any certificate
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# Other endpoints of the environment: the option overrides these too.
SERVICE_ENDPOINT, IGNORE_ENDPOINTS = "AWS_ENDPOINT_URL_", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
# Services that give the credentials: --endpoint-url is not meant for them.
OF_CREDENTIALS = frozenset(f"{SERVICE_ENDPOINT}{service}" for service in ("STS", "SSO", "SSO_OIDC", "SIGNIN"))


@contextmanager
def aws_environment(
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    ca_bundle: str | None = None,
    read_timeout: float | None = None,
    request_payer: str | None = None,
) -> Iterator[None]:
    """
    Put the options into the environment, where every client, the pipeline's too, finds them.

    As in the AWS CLI, ``--profile`` overrides credentials in the environment, and ``AWS_REGION`` overrides
    ``AWS_DEFAULT_REGION``; boto3 itself reads only the latter. Blanks and line ends around a value, or a proxy's, are
    removed: pipelines leave them there, and S3 refuses a signature by a secret with a line end. An empty setting, such
    as a pipeline's unset variable, counts as absent.

    :raises InvalidEventError: The endpoint is not a URL.
    """
    endpoints = {name for name in os.environ if name.startswith(SERVICE_ENDPOINT)} - OF_CREDENTIALS
    touched = {*CREDENTIALS, *SETTINGS, *endpoints, IGNORE_ENDPOINTS, OTHER_PROFILE, OTHER_BUNDLE, CHOSEN_PROFILE}
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    before = {name: os.environ.get(name) for name in (*touched, *proxies)}
    for name in (*CREDENTIALS, *SETTINGS, OTHER_PROFILE, OTHER_BUNDLE):
        if stripped := os.environ.pop(name, "").strip():
            os.environ[name] = stripped
    os.environ.update({name: os.environ[name].strip() for name in proxies})  # an empty https_proxy means none
    region = region or os.environ.get("AWS_REGION", "").strip()
    seconds = None if read_timeout is None else f"{read_timeout:g}"
    if profile:
        os.environ.pop(OTHER_PROFILE, None)
        os.environ[CHOSEN_PROFILE] = profile
    if endpoint_url:
        from processor.job import endpoint  # noqa: PLC0415 - boto3 takes 0.3 s, which a local file need not wait for

        endpoint_url = endpoint("--endpoint-url", endpoint_url)
        for name in endpoints:
            os.environ.pop(name, None)
        os.environ[IGNORE_ENDPOINTS] = "false"  # or botocore would ignore the option too
    given = zip(SETTINGS, (profile, region, endpoint_url, ca_bundle, seconds, request_payer), strict=True)
    os.environ.update({name: value for name, value in given if value})
    _forget_session()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        _forget_session()


def _forget_session() -> None:
    """Let the clients read the environment again, if any were made."""
    if "presign_siblings.session" in sys.modules:
        from presign_siblings.session import forget_session  # noqa: PLC0415 - boto3 takes 0.3 s, which a file need not wait for

        forget_session()
