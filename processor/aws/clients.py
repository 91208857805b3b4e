"""The asynchronous clients, opened inside the invocation's own event loop."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.httpsession import create_urllib3_context, get_cert_path

from processor.answers import check_answers
from processor.aws.client_config import DEFAULT_REACH, configured_endpoint, s3_settings
from processor.aws.demands import heed_demands
from processor.aws.every_request import name_endpoint
from processor.aws.region import check_region
from processor.aws.service_models import SERVICE_MODELS
from processor.aws.shared_credentials import SharedCredentials
from processor.aws.signing_credentials import SigningCredentials, credentials_end
from processor.errors import RetryableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from types_aiobotocore_s3 import S3Client

    from processor.job import Reach

MAX_ATTEMPTS = 6
_READ_BYTES = 256 << 10  # of an answer in aiohttp's buffer: a page of 1,000 keys comes without a pause


@dataclass(frozen=True, slots=True)
class _Straight:
    """
    aiohttp's session, without its redirects.

    It would send a signed request, and the session's token in it, wherever an answer points, a PUT as a GET.
    """

    session: aiohttp.ClientSession

    async def request(self, method: str, **more: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's
        """Send a request; where S3 says that a bucket lies elsewhere, that is the answer."""
        answer = await self.session.request(method, allow_redirects=False, read_bufsize=_READ_BYTES, **more)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            await answer.read()  # aiobotocore reads a refused GetObject's later, where botocore tries nothing again
        return answer


class HttpSession(AIOHTTPSession):
    """
    aiobotocore's HTTP session, which follows no redirect, as boto3's does not.

    The CA bundle is parsed once a process; parsing takes 20 ms for each client.
    """

    async def _get_session(self: Any, proxy_url: str | None) -> Any:  # noqa: ANN401 - none of it is in the stubs
        return _Straight(await super()._get_session(proxy_url))  # type: ignore[misc]

    def _create_connector(self: Any, proxy_url: str | None) -> Any:  # noqa: ANN401 - none of it is in the stubs
        if not self._verify:
            return super()._create_connector(proxy_url)  # type: ignore[misc]
        tls = _tls(get_cert_path(self._verify), self._cert_file, self._key_file)
        return aiohttp.TCPConnector(limit=self._max_pool_connections, ssl=tls, **self._connector_args)


@functools.cache
def _tls(ca_bundle: str, own: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """
    Return the TLS settings that botocore makes, with the certificates of a bundle, and with the host's name compared.

    botocore leaves the name to urllib3, and aiobotocore has none: it would take any certificate of any host for S3's.

    :param own: File with the client's own certificate.
    """
    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True
    is_folder = Path(ca_bundle).is_dir()
    context.load_verify_locations(None if is_folder else ca_bundle, ca_bundle if is_folder else None)
    if own is not None:
        context.load_cert_chain(own, key)
    return context


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

    :param endpoint_url: A custom endpoint; ``None``: the one of a config file, or AWS.
    :param concurrency:  List requests, and as many part uploads, under way at once.
    :param signing:      Credentials to use in place of the function's own.
    :param reach:        How requests are sent.
    :param own:          Credentials that this process has found already.
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
        # A custom endpoint takes the path style, unless a setting says otherwise.
        **s3_settings(core, reach, "path" if endpoint_url else "virtual"),
        max_pool_connections=2 * concurrency + 2,
        # Bodies are signed with their SHA-256, which S3 verifies; an additional CRC would prove nothing more.
        request_checksum_calculation="when_required",
        user_agent=_user_agent(core),
    )
    async with session.client("s3", endpoint_url=endpoint_url, config=config) as client:
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
    """Whether a role's session signs whose end is unknown: that of a function, whose environment holds its token."""
    signer: Any = getattr(client, "_request_signer", None)
    found = getattr(signer, "_credentials", None)
    is_own = signing is None and not isinstance(found, SharedCredentials)
    return is_own and bool(getattr(found, "token", None)) and credentials_end(client, signing) is None


def _session(
    signing: SigningCredentials | None = None, own: SharedCredentials | None = None
) -> tuple[AioSession, aioboto3.Session]:
    core = AioSession()
    core.register_component("data_loader", SERVICE_MODELS)  # warm invocations share these, and nothing else
    core.register("after-call", name_endpoint)
    if signing is not None:
        core.set_credentials(signing.access_key, signing.secret_key, signing.token)
    elif own is not None:
        core._credentials = own  # type: ignore[attr-defined]  # noqa: SLF001 - what ``set_credentials`` sets, with the means to refresh
    return core, aioboto3.Session(botocore_session=core)
