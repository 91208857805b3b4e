"""What a hop opens for its work, and closes at its end: the ledger and the S3 clients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from processor.aws import apply_settings, credentials_end, is_of_role
from processor.ledger import DynamoLedger, Ledger, Unfenced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.aws import Connections, SigningCredentials
    from processor.job import DeploymentSettings
    from processor.manifest import Sink


class Clients(NamedTuple):
    """
    The S3 clients of one hop.

    :param s3:          Lists and writes, with the function's own credentials.
    :param signing:     Signs.
    :param signing_key: The secret key that the client signs with.
    :param signing_end: When the signing credentials end, UTC, where that is known.
    :param of_role:     Whether the signing credentials are those of a role's session whose end is not known.
    """

    s3: S3Client
    signing: S3Client
    signing_key: str
    signing_end: datetime | None
    of_role: bool = False


@contextlib.asynccontextmanager
async def open_ledger(connections: Connections, deployment: DeploymentSettings) -> AsyncIterator[Ledger]:
    """Open the ledger: the jobs table, or without one a ledger that fences off no other holder."""
    if deployment.jobs_table is None:
        yield Unfenced()
        return
    async with connections.dynamodb() as client:
        yield DynamoLedger(client, deployment.jobs_table, deployment)


OpenSink = Callable[..., "Sink"]
OpenLedger = Callable[["Connections", "DeploymentSettings"], contextlib.AbstractAsyncContextManager[Ledger]]


@contextlib.asynccontextmanager
async def open_client(
    connections: Connections,
    deployment: DeploymentSettings,
    concurrency: int,
    credentials: SigningCredentials | None,
    *,
    signs: bool = False,
) -> AsyncIterator[tuple[S3Client, str]]:
    """
    Open one S3 client with the deployment's settings; yield it with its secret key.

    :param concurrency: Requests under way at once.
    :param credentials: Credentials in place of the function's own.
    :param signs:       The client only signs URLs, which name the deployment's ``URL_ENDPOINT``.
    :raises RetryableError: There are no credentials.
    """
    url = (deployment.url_endpoint if signs else None) or deployment.endpoint_url
    found = connections.s3(url, concurrency, credentials, deployment.reach)
    async with found as (client, key):
        apply_settings(client, deployment)
        yield client, key


@contextlib.asynccontextmanager
async def open_clients(
    connections: Connections,
    deployment: DeploymentSettings,
    concurrency: int,
    signing: SigningCredentials | None,
) -> AsyncIterator[Clients]:
    """
    Open the client that lists and writes, and the one that signs.

    :param signing: Credentials that sign; ``None`` lets one client do both.
    :raises RetryableError: There are no credentials.
    """
    async with contextlib.AsyncExitStack() as stack:
        own, key = await stack.enter_async_context(open_client(connections, deployment, concurrency, None))
        signer = own
        if signing is not None or deployment.url_endpoint is not None:
            signer, key = await stack.enter_async_context(open_client(connections, deployment, 1, signing, signs=True))
        yield Clients(own, signer, key, credentials_end(signer, signing), is_of_role(signer, signing))
