"""A manifest at a URL, which may redirect: asked for by urllib, over the connections that links have."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, InvalidURL
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from presign_siblings.certificates import tls
from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.manifests.download_script import Answer
from presign_siblings.manifests.entry import is_signed
from presign_siblings.manifests.location import shown
from presign_siblings.manifests.network import proxies, proxy_of, read_seconds
from presign_siblings.manifests.wire import dialled
from presign_siblings.words import unspoken
from processor.causes import NETWORK, READ_BYTES, place, why

if TYPE_CHECKING:
    import socket


class _Handler(HTTPHandler, HTTPSHandler):
    """Connects as links do: urllib would wait a minute for each IPv6 address that leads nowhere."""

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPConnection), req)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPSConnection, context=tls()), req)


def _connection(kind: Any, host: str, **arguments: Any) -> Any:  # noqa: ANN401 - http.client's
    made = kind(host, **arguments)
    made.response_class = Answer
    made._create_connection = _dialled  # noqa: SLF001 - http.client has no other place for it
    return made


def _dialled(to: tuple[str, int], seconds: float, _: object) -> socket.socket:
    made = dialled(*to)
    made.settimeout(seconds)
    return made


def response(url: str) -> HTTPResponse:
    """
    Ask for a manifest; no URL is in any message.

    :raises NotFoundError: The manifest does not exist.
    :raises CommandError: The server refuses it, or does not answer.
    :raises WrongUseError: The URL cannot be asked for.
    """
    try:
        if (reason := unspoken(proxy_of(url))) is not None:
            raise CommandError(f"cannot read {shown(url)}: {reason}")
        opener = build_opener(ProxyHandler(proxies()), _Handler())
        answer: HTTPResponse = opener.open(url, timeout=read_seconds())
    except HTTPError as refusal:
        with refusal:
            kind = NotFoundError if refusal.code == HTTPStatus.NOT_FOUND else CommandError
            raise kind(f"{shown(url)} answered {_told(url, refusal)}") from None
    except URLError as error:
        reason = why(error).replace(NETWORK, "check the URL and the network")  # no endpoint is involved
        by = "" if (proxy := proxy_of(url)) is None else f" through the proxy {place(proxy)}"
        raise CommandError(f"cannot read {shown(url)}{by}: {reason}") from None
    except (InvalidURL, ValueError):
        raise WrongUseError(
            f"{shown(url)!r} is not a URL that can be asked for: is it whole, and on one line?"
        ) from None
    return answer


def _told(url: str, answer: HTTPError) -> str:
    """Return what a store answers in place of a manifest: its code and words, and what may help."""
    from presign_siblings.manifests.refusals import refusal  # noqa: PLC0415 - mostly not needed

    if "X-Amz-" in url and not is_signed(url.partition("?")[2]):
        return f"{answer.code}; the URL has no signature: in quotes, or the shell cuts it at its first &"
    headers = {name.lower(): value for name, value in answer.headers.items()}
    told = refusal(answer.code, headers, answer.read(READ_BYTES))
    is_bare = told.message == f"HTTP {HTTPStatus.FORBIDDEN:d}"
    return told.message + "; a presigned URL dies with its expiry or its session" * is_bare
