"""Requests, on connections that are kept for the next ones; no URL is in any message."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from presign_siblings.manifests.answer import BrokenError
from presign_siblings.manifests.network import proxy_of, read_seconds
from presign_siblings.manifests.wire import Origin
from presign_siblings.manifests.workers import Away
from presign_siblings.version import VERSION
from presign_siblings.words import unspoken

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from presign_siblings.manifests.answer import Answer
    from presign_siblings.manifests.connection import Connection

CONNECTION = "no connection"
PLAIN = {"Accept-Encoding": "identity", "User-Agent": f"presign-siblings/{VERSION}"}


class FetchError(Exception):
    """
    The object could not be fetched; the message says why.

    :param code:    S3's own, or a word for the cause: equal for equal causes.
    :param passing: Whether another try may succeed.
    :param after:   Seconds after which the store wants to be asked again.
    :ivar begun:    Bytes that earlier tries had left.
    """

    begun = 0

    def __init__(self, message: str, *, code: str, passing: bool, after: int = 0) -> None:
        super().__init__(message)
        self.code, self.passing, self.after = code, passing, after


class Requests:
    """
    The connections of a client: those that are idle, and those under way.

    :param is_closed: Whether no further request is sent.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: dict[Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._origins: dict[str, Origin] = {}
        self._seconds = read_seconds()
        self.is_closed = False

    def stop(self) -> None:
        """Break off every wait for an answer, and send no further request."""
        with self._lock:
            self.is_closed = True
            for each in self._busy:
                each.cut()

    def close(self) -> None:
        """Close the connections."""
        self.stop()
        for connections in self._idle.values():
            for each in connections:
                each.close()

    def origin(self, url: str) -> Origin:
        """
        Return where a URL leads.

        :raises FetchError: The URL names no host, or its proxy cannot be used.
        """
        scheme, mark, rest = url.partition("://")
        named = scheme + mark + rest.partition("/")[0].partition("?")[0]
        if named not in self._origins:
            self._origins[named] = _to(named)
        return self._origins[named]

    def connection(self, origin: Origin) -> Connection:
        """
        Return a connection, an idle one or a new one.

        :raises BrokenError: The client was stopped, or the host cannot be reached.
        """
        with self._lock:
            if self.is_closed:
                raise BrokenError("stopped")
            idle = self._idle.get(origin)
            connection = idle.pop() if idle else None
        if connection is None:
            with Away():
                connection = origin.open(self._tls if origin.scheme == "https" else None, self._seconds)
        with self._lock:
            self._busy.add(connection)
            if self.is_closed:  # while the connection opened
                connection.cut()
        return connection

    def leave(self, origin: Origin, connection: Connection, *, stays: bool) -> None:
        """Give a connection back; one that does not stay is closed."""
        with self._lock:
            self._busy.discard(connection)
            if stays:
                self._idle.setdefault(origin, []).append(connection)
        if not stays:
            connection.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        from presign_siblings.certificates import tls  # noqa: PLC0415 - a tenth of the start, http needs none

        with self._lock:
            return tls()


class Asked:
    """
    A request that was sent. In a ``with`` statement its answer is waited for.

    :raises FetchError: The request cannot be sent, or is not answered.
    """

    def __init__(self, requests: Requests, url: str, headers: dict[str, str]) -> None:
        self._requests, self.url, self.headers = requests, url, headers
        self._origin = requests.origin(url)
        try:
            self._request = self._origin.request(url, PLAIN | headers)
        except BrokenError as error:
            raise self._failed(error) from None
        self.connection = self._sent()

    def _sent(self) -> Connection:
        """Send the request; an idle connection that the server has closed is no failure."""
        while True:
            try:
                connection = self._requests.connection(self._origin)
            except BrokenError as error:
                raise self._failed(error) from None
            try:
                connection.send(self._request)
            except BrokenError as error:
                self._again(connection, error)
            else:
                return connection

    def _again(self, connection: Connection, error: BrokenError) -> None:
        self._requests.leave(self._origin, connection, stays=False)
        if error.begun or connection.asked == 1:
            raise self._failed(error) from None

    def _failed(self, error: BrokenError) -> FetchError:
        message = f"{CONNECTION}, or it broke: {error}"
        return FetchError(message, code=CONNECTION, passing=not self._requests.is_closed)

    def __enter__(self) -> Answer:
        """Wait for the answer."""
        while True:
            try:
                self._answer = self.connection.answer()
            except BrokenError as error:
                self._again(self.connection, error)
                self.connection = self._sent()
            else:
                return self._answer

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Give the connection back."""
        self._requests.leave(self._origin, self.connection, stays=error is None and self._answer.stays)
        if isinstance(error, BrokenError):
            raise self._failed(error) from None


def _to(named: str) -> Origin:
    """
    Return where the URLs of a host lead.

    :param named: Scheme and host.
    :raises FetchError: The URL names no host, or its proxy cannot be used.
    """
    scheme, _, host = named.partition("://")
    try:
        proxy = proxy_of(named)
    except ValueError:
        raise FetchError("the URL names no host", code=CONNECTION, passing=False) from None
    if (reason := unspoken(proxy)) is not None:
        raise FetchError(reason, code=CONNECTION, passing=False)
    return Origin(scheme, host, proxy)
