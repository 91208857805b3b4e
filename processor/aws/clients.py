"""The asynchronous clients, opened inside the invocation's own event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.handlers import add_expect_header

from processor.answers import check_answers
from processor.aws.client_config import DEFAULT_REACH, configured_endpoint, s3_settings
from processor.aws.demands import heed_demands
from processor.aws.every_request import name_endpoint
from processor.aws.http_session import HttpSession
from processor.aws.region import check_region
from processor.aws.service_models import SERVICE_MODELS
from processor.aws.shared_credentials import SharedCredentials
from processor.aws.signing_credentials import SigningCredentials, credentials_end
from processor.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from types_aiobotocore_s3 import S3Client

    from processor.job import Reach

MAX_ATTEMPTS = 6


@asynccontextmanager
async def open_s3(
    endpoint_url: str | None,
    concurrency: int,
    signing: SigningCredentials | None = None,
    reach: Reach = DEFAULT_REACH,
    *,
    own: SharedCredentials | None = None,
) -> AsyncIterator[tuple[S3Client, str]]:
    """
    Open an S3 client; yield the client with the secret key that it signs with now.

    :param endpoint_url: A custom endpoint; ``None``: the one of the environment or of a config file, or AWS.
    :param concurrency:  List requests, and as many part uploads, under way at once.
    :param signing:      Credentials to use in place of the function's own.
    :param reach:        How requests are sent.
    :param own:          Credentials that a session of this process has found already.
    :raises RetryableError: There are no credentials.
    """
    core, session = _session(signing, own)
    found: Any = await core.get_credentials()
    if found is None:
        raise RetryableError("there are no AWS credentials to sign with")
    endpoint_url = endpoint_url or configured_endpoint(core)
    config = AioConfig(
        http_session_cls=HttpSession,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        **s3_settings(core, reach, endpoint_url),
        max_pool_connections=2 * concurrency + 2,
        # Bodies are signed with their SHA-256, which S3 verifies; an additional CRC would prove nothing more.
        request_checksum_calculation="when_required",
        user_agent=_user_agent(core),
    )
    async with session.client("s3", endpoint_url=endpoint_url, config=config) as client:
        # aiohttp waits for the interim answer without an end, and some proxies give none; urllib3 waits a second.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        check_answers(client)
        check_region(client, endpoint_url)
        heed_demands(client)
        yield client, await secret_key(client)


def _user_agent(core: AioSession) -> str:
    """Name this tool in access logs; botocore would put its own text together again for each request."""
    app = core.get_config_variable("user_agent_appid")
    return "presign-siblings" + (f" app/{app}" if app else "")


def open_dynamodb() -> AbstractAsyncContextManager[Any]:
    """Open a DynamoDB client that gives up long before a lease ends."""
    return _impatient("dynamodb", attempts=4, max_pool_connections=2)


def open_events() -> AbstractAsyncContextManager[Any]:
    """Open an EventBridge client."""
    return _impatient("events", attempts=3)


def open_states() -> AbstractAsyncContextManager[Any]:
    """Open a client of Step Functions that gives up long before a lease ends."""
    return _impatient("stepfunctions", attempts=4)


@asynccontextmanager
async def _impatient(service: Any, *, attempts: int, **more: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - a service's name
    """Open a client that waits some seconds for an answer, and checks what it gets."""
    _, session = _session()
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    config = AioConfig(
        http_session_cls=HttpSession,
        connect_timeout=2,
        read_timeout=3,
        retries=retries,
        **{"max_pool_connections": 1, **more},
    )
    async with session.client(service, config=config) as client:
        check_answers(client)
        yield client


async def secret_key(client: S3Client) -> str:
    """Return the secret key that a client signs with now."""
    signer: Any = client._request_signer  # type: ignore[attr-defined]  # noqa: SLF001 - no public attribute has them
    found: str = (await signer._credentials.get_frozen_credentials()).secret_key  # noqa: SLF001
    return found


def is_of_role(client: S3Client, signing: SigningCredentials | None) -> bool:
    """Whether a role's session of unknown end signs: that of a function, whose environment holds the token."""
    signer: Any = getattr(client, "_request_signer", None)
    found = getattr(signer, "_credentials", None)
    is_own = signing is None and not isinstance(found, SharedCredentials)
    return is_own and bool(getattr(found, "token", None)) and credentials_end(client, signing) is None


class _Session(aioboto3.Session):  # type: ignore[misc]  # aioboto3 has no types
    """A session whose clients have no file transfers: importing these takes a twentieth of a cold start."""

    def _register_default_handlers(self) -> None:
        """Leave out what aioboto3 adds to botocore's clients and resources."""


def _session(
    signing: SigningCredentials | None = None, own: SharedCredentials | None = None
) -> tuple[AioSession, _Session]:
    core = AioSession(profile=own and own.profile)
    core.register_component("data_loader", SERVICE_MODELS)  # warm invocations share these, and nothing else
    core.register("after-call", name_endpoint)
    if signing is not None:
        core.set_credentials(signing.access_key, signing.secret_key, signing.token)
    elif own is not None:
        core._credentials = own  # type: ignore[attr-defined]  # noqa: SLF001 - what ``set_credentials`` sets, with the means to refresh
        core.set_config_variable("region", own.region)
    return core, _Session(botocore_session=core)
