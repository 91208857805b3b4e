"""aiobotocore's HTTP session as the clients need it: no redirects, hosts' names compared, CA bundles parsed once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from botocore.httpsession import create_urllib3_context, get_cert_path

if TYPE_CHECKING:
    import ssl

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
