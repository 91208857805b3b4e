"""What prevented a connection, or broke it: the libraries' errors are known by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from processor.causes.next_steps import NETWORK, OTHER_HOST, TLS
from processor.causes.text import place, plain

if TYPE_CHECKING:
    from collections.abc import Iterator


_OF_CLIENTS = frozenset({"HTTPClientError", "ClientError", "URLError", "ClientConnectionError"})
# By the names of the libraries' errors, the most specific first.
_BY_NAME = (
    ({"NameResolutionError"}, f"the host's name cannot be resolved; {NETWORK}"),
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
        "the connection was closed before the answer was complete; does the endpoint need https?",
    ),
)


def by_proxy(error: BaseException) -> str:
    """Return what a proxy, or its absence, did to a request."""
    kwargs = getattr(error, "kwargs", {})
    proxy = f"the proxy {place(kwargs['proxy_url'])}" if kwargs.get("proxy_url") else "the proxy"
    cause = connection(kwargs["error"]) if isinstance(kwargs.get("error"), BaseException) else None
    status = next((code for each in _chain(error) if isinstance(code := getattr(each, "status", None), int)), None)
    outcome = f"answered {status}" if status else (cause or "does not answer").removeprefix("the connection failed: ")
    return _nothing_through(proxy, outcome)


def _nothing_through(proxy: str, cause: str) -> str:
    """Say what a proxy did, without the next step of the cause, which is about an endpoint."""
    cause = cause.partition("; ")[0]
    return (
        f"{proxy} did not pass the request on: {cause}; check HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY"
    )


def connection(error: BaseException) -> str | None:
    """Return what prevented a connection, or broke it; ``None`` for any other error."""
    chain = list(_chain(error))
    names = {kind.__name__ for each in chain for kind in type(each).__mro__}
    reason = next((reason for reason in map(_of_system, chain) if reason is not None), None) or _by_name(error, names)
    if reason is None and names & _OF_CLIENTS:
        words = (each.strerror for each in chain if isinstance(each, OSError) and each.strerror)
        reason = plain(next(words, str(error)))  # aiohttp's own words name the URL
    if reason is not None and (proxy := _proxy(chain)) is not None:
        return _nothing_through(proxy, reason)
    return None if reason is None else f"{_where(chain)}: {reason}"


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
    if isinstance(error, ConnectionRefusedError) or "Connection refused" in str(error):
        return f"the connection was refused: no server listens there; {NETWORK}"
    return None


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
        inner = [kwargs.get("error") if isinstance(kwargs, dict) else None]
        inner += [getattr(each, name, None) for name in ("os_error", "reason", "__cause__", "__context__")]
        inner += list(getattr(each, "args", ()))
        found += [more for more in inner if isinstance(more, BaseException)]
