"""What prevented a connection, or broke it: the libraries' errors are known by their names."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from processor.causes.next_steps import NETWORK, OTHER_HOST, TLS
from processor.causes.text import place, plain

if TYPE_CHECKING:
    from collections.abc import Iterator


_NEEDS_TLS = "; does the endpoint need https?"
_BY_NUMBER: dict[int | None, str] = {
    errno.ECONNREFUSED: f"the connection was refused: no server listens there; {NETWORK}",
    **dict.fromkeys((errno.ENETUNREACH, errno.EHOSTUNREACH), f"there is no route to the host; {NETWORK}"),
}
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # http.client's words for a proxy's answer to CONNECT
_OF_CLIENTS = frozenset({"HTTPClientError", "ClientError", "URLError", "ClientConnectionError"})
# By the names of the libraries' errors, the most specific first.
_BY_NAME = (
    (
        {"ReadTimeoutError", "SocketTimeoutError"},
        "no answer came within the read timeout; allow more: --read-timeout, S3_READ_TIMEOUT",
    ),
    (
        {"ConnectTimeoutError", "ConnectionTimeoutError"},
        f"the connection was not established in time, a firewall may drop it; {NETWORK}",
    ),
    ({"TimeoutError"}, "no answer came in time"),
    (
        {"ConnectionClosedError", "ServerDisconnectedError", "ConnectionResetError", "ClientPayloadError"},
        f"the connection was closed before the answer was complete{_NEEDS_TLS}",
    ),
    ({"BadHttpMessage"}, f"the answer is not HTTP{_NEEDS_TLS}"),
)


def by_proxy(error: BaseException) -> str:
    """Return what a proxy, or its absence, did to a request."""
    chain, url = list(_chain(error)), getattr(error, "kwargs", {}).get("proxy_url")
    status = next((code for code in map(_answered, chain) if code is not None), None)
    cause = f"it answered {status}" if status else _reason(error, chain) or "it does not answer"
    return _nothing_through(f"the proxy {place(url)}" if url else "the proxy", cause)


def _answered(error: BaseException) -> str | None:
    """Return the status that a proxy answered."""
    status, said = getattr(error, "status", None), _TUNNEL.search(str(error))
    return str(status) if isinstance(status, int) else said and said[1]


def _nothing_through(proxy: str, cause: str) -> str:
    """Say what a proxy did, without the next step of the cause, which is about an endpoint."""
    cause = cause.partition("; ")[0]
    return (
        f"{proxy} did not pass the request on: {cause}; check HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY"
    )


def connection(error: BaseException) -> str | None:
    """Return what prevented a connection, or broke it; ``None`` for any other error."""
    chain = list(_chain(error))
    reason = _reason(error, chain)
    if reason is None:
        return None
    if (proxy := _proxy(chain)) is not None:
        return _nothing_through(proxy, reason)
    where = _where(chain)
    return f"{where}: {reason.removesuffix(_NEEDS_TLS) if 'https://' in where else reason}"


def _reason(error: BaseException, chain: list[BaseException]) -> str | None:
    names = {kind.__name__ for each in chain for kind in type(each).__mro__}
    reason = next((reason for reason in map(_of_system, chain) if reason is not None), None) or _by_name(error, names)
    if reason is None and names & _OF_CLIENTS:
        words = (each.strerror for each in chain if isinstance(each, OSError) and each.strerror)
        return plain(next(words, str(getattr(error, "reason", error))))  # aiohttp's own words name the URL
    return reason


def _of_system(error: BaseException) -> str | None:
    """Return what an error of TLS, the resolver or the socket says, known by its name: ssl is slow to import."""
    names = {kind.__name__ for kind in type(error).__mro__ if kind.__module__ in {"ssl", "socket"}}
    if "SSLCertVerificationError" in names:
        message = getattr(error, "verify_message", None)  # aiohttp's own subclass has none, and holds one that has
        step = OTHER_HOST if "mismatch" in str(message) else TLS
        return f"its TLS certificate is refused: {str(message).rstrip('.')}; {step}" if message else None
    if isinstance(error, OSError) and "SSLError" in names:
        reason = str(getattr(error, "reason", None) or "handshake failed").replace("_", " ").lower()
        if reason == "no certificate or crl found":
            return "the CA bundle holds no certificate in PEM: --ca-bundle, AWS_CA_BUNDLE"
        return f"TLS failed: {reason}; does the endpoint speak http instead of https?"
    if isinstance(error, OSError) and "gaierror" in names:
        return f"the host's name cannot be resolved: {error.strerror or 'unknown'}; {NETWORK}"
    return _BY_NUMBER.get(error.errno) if isinstance(error, OSError) else None


def _by_name(error: BaseException, names: set[str]) -> str | None:
    if names & {"SSLError", "ClientSSLError"}:
        return f"TLS failed: {plain(str(error))}; {TLS}"
    return next((reason for those, reason in _BY_NAME if names & those), None)


def _proxy(chain: list[BaseException]) -> str | None:
    """Return the proxy, where aiohttp could not reach it: its error has another host than the request."""
    urls = [given["endpoint_url"] for each in chain if "endpoint_url" in (given := getattr(each, "kwargs", None) or {})]
    failed = next((each for each in chain if isinstance(getattr(each, "host", None), str)), None)
    host, port = getattr(failed, "host", None), getattr(failed, "port", None)
    if not urls or host is None or host == urlsplit(str(urls[0])).hostname:
        return None
    return f"the proxy {host}:{port}"


def _where(chain: list[BaseException]) -> str:
    for each in chain:
        kwargs = getattr(each, "kwargs", None)
        if isinstance(kwargs, dict) and kwargs.get("endpoint_url"):
            return f"the connection to {place(kwargs['endpoint_url'])} failed"
        if (asked := getattr(each, "request_info", None)) is not None:
            return f"the connection to {place(str(asked.url))} failed"
        host, port = getattr(each, "host", None), getattr(each, "port", None)
        if isinstance(host, str) and port:
            return f"the connection to {host}:{port} failed"
    return "the connection failed"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes: the libraries wrap each other's errors."""
    seen: set[int] = set()
    found: list[BaseException] = [error]
    while found:
        each = found.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        kwargs = getattr(each, "kwargs", None)
        inner = [kwargs.get("error") if isinstance(kwargs, dict) else None, each.__cause__, each.__context__]
        found += [more for more in inner if isinstance(more, BaseException)]
