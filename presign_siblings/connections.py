"""A command's clients of AWS: botocore's and aiobotocore's have the same settings, proxy and certificates."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.utils import get_environ_proxies

from presign_siblings.certificates import bundle
from presign_siblings.errors import CommandError, WrongUseError
from presign_siblings.session import credentials, no_credentials, session
from presign_siblings.words import unspoken
from processor.answers import check_answers
from processor.aws import apply_settings, configured_endpoint, name_endpoint, s3_settings
from processor.causes import place, plain
from processor.job import DeploymentSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from types_aiobotocore_s3 import S3Client

    from processor.aws import Connections, SharedCredentials, SigningCredentials
    from processor.job import Reach

# Variables of the function that count on this machine too: how S3 is reached,
OF_REACH = (
    "S3_ADDRESSING_STYLE",
    "S3_READ_TIMEOUT",
    "REQUEST_PAYER",
    "EXPECTED_BUCKET_OWNER",
    "MANIFEST_BUCKET_OWNER",
    "S3_EQUAL_PARTS",
)
# and who signs for CloudFront.
OF_CLOUDFRONT = ("CLOUDFRONT_DOMAIN", "CLOUDFRONT_KEY_PAIR_ID", "CLOUDFRONT_SECRET", "CLOUDFRONT_HASH")

# Called after each request to AWS, where a command was asked to report them.
_ON_REQUEST: ContextVar[Callable[[str], None] | None] = ContextVar("on_request", default=None)


def reaching(more: Mapping[str, str] | None = None) -> DeploymentSettings:
    """
    Return the settings of this machine that say how S3 is reached.

    :param more: Further settings.
    :raises InvalidEventError: A variable breaks its rule.
    """
    chosen = {name: os.environ[name] for name in (*OF_REACH, *OF_CLOUDFRONT) if name in os.environ}
    return DeploymentSettings.from_environment({**chosen, **(more or {})}, {})


def client(service: str) -> Any:  # noqa: ANN401 - a client of any service
    """
    Make a client; profile, region and endpoint come from the environment.

    :raises InvalidEventError: The endpoint of S3 is not a URL, or a variable breaks its rule.
    :raises WrongUseError: The endpoint is not a URL, a setting is not valid, the CA bundle does not exist, or the
                           proxy is not an HTTP proxy.
    :raises CommandError: The credentials cannot be read.
    """
    settings, config = reaching(), None
    bundle()
    credentials()
    if service == "s3":
        if not isinstance(session().get_scoped_config().get("s3", {}), dict):
            raise WrongUseError("~/.aws/config: the profile's settings of s3 are indented lines after 's3 ='")
        config = Config(**s3_settings(session(), settings.reach, configured_endpoint(session())))
    try:
        made: Any = session().create_client(service, config=config)
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        if "endpoint" in str(error).lower():
            raise WrongUseError(f"{error}: an endpoint is written as http://host:port or https://host") from None
        raise WrongUseError(
            f"a setting of AWS's clients, in the environment or ~/.aws/config, is not valid: {plain(str(error))}"
        ) from None
    check_proxy(made.meta.endpoint_url)
    made.meta.events.register("after-call", name_endpoint)
    made.meta.events.register("after-call", _report)
    check_answers(made)
    if service == "s3":
        apply_settings(made, settings)
    return made


def check_proxy(url: str) -> None:
    """
    Check that the environment's proxy for a URL is an HTTP proxy: aiohttp would silently bypass a SOCKS proxy.

    :raises WrongUseError: It is another kind of proxy, or its URL is broken.
    """
    reason = unspoken(get_environ_proxies(url).get(url.partition("://")[0]), ("http", "https"))
    if reason is not None:
        raise WrongUseError(reason)


def connections() -> Connections:
    """
    Return what opens the pipeline's clients with the credentials, profile and region of this call's session.

    :raises CommandError: There are no credentials.
    """
    found = credentials()
    if found is None:
        raise CommandError(no_credentials())
    from processor.aws import Connections, SharedCredentials  # noqa: PLC0415 - most commands need no asynchronous client

    own = SharedCredentials(found, session().profile, session().get_config_variable("region"))
    return Connections(s3=partial(_open_s3, own))


@asynccontextmanager
async def _open_s3(
    own: SharedCredentials,
    endpoint_url: str | None,
    concurrency: int,
    signing: SigningCredentials | None,
    reach: Reach,
) -> AsyncIterator[tuple[S3Client, str]]:
    from processor.aws import open_s3  # noqa: PLC0415 - as above

    async with open_s3(endpoint_url, concurrency, signing, reach, own=own) as (made, secret):
        made.meta.events.register("after-call", _report)
        yield made, secret


@contextmanager
def reporting_requests(on_request: Callable[[str], None] | None) -> Iterator[None]:
    """
    Report each request to AWS while the block runs.

    :param on_request: Called with a line: operation, place, status, tries; never a query, a header or a body.
    """
    token = _ON_REQUEST.set(on_request)
    try:
        yield
    finally:
        _ON_REQUEST.reset(token)


def _report(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
    on_request = _ON_REQUEST.get()
    if on_request is None:
        return
    tries = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
    code = parsed.get("Error", {}).get("Code", "")
    line = f"{model.service_model.service_name} {model.name} at {place(http_response.url)}: {http_response.status_code}"
    on_request(f"{line} {code}".rstrip() + f" after {tries} more tries" * bool(tries))
