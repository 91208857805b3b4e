"""
Where URLs lead: how a connection is made, through a proxy or not, and what is sent on it.

``http.client`` is not used: it takes longer to read the head of an answer than all the rest of a small file (measured,
110 of 200 microseconds), and longer to import than a small download.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from presign_siblings.manifests.answer import BUFFER, BrokenError
from presign_siblings.manifests.connection import Connection, cause
from presign_siblings.manifests.open_files import refuse_too_many
from processor.causes import place, why

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

CONNECT_SECONDS = 10
PORTS = {"http": 80, "https": 443}
_answered: list[socket.AddressFamily] = []  # the IP version of the last connection that was made
_HINT = "check HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY"
_OF_PROXIES = {
    "403": "it does not let this host through",
    "407": "it wants a name and a password: HTTPS_PROXY=http://name:password@host:port",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where a connection leads.

    :param host:  Name or address, with the port where the URL names one.
    :param proxy: URL of the proxy in between.
    """

    scheme: str
    host: str
    proxy: str | None = None

    @property
    def _proxy(self) -> SplitResult | None:
        return None if self.proxy is None else urlsplit(self.proxy)

    def open(self, tls: ssl.SSLContext | None, seconds: float) -> Connection:
        """
        Connect.

        :param tls: Certificates to trust, for https.
        :param seconds: The longest wait for an answer.
        :raises BrokenError: The host or its proxy does not answer, or the certificate is not trusted.
        """
        made = self._connected()
        if tls is None:
            return Connection(made, seconds=seconds)
        import ssl  # noqa: PLC0415 - loaded already, for the context

        try:
            name = urlsplit(f"//{self.host}").hostname
            made = tls.wrap_socket(made, server_hostname=name)
        except (OSError, ValueError) as error:
            made.close()
            raise BrokenError(why(error)) from None
        return Connection(made, (ssl.SSLWantReadError, ssl.SSLWantWriteError), seconds)

    def _connected(self) -> socket.socket:
        """Return a connection to the host, or for http to the proxy."""
        proxy, made = self._proxy, None
        try:
            to = urlsplit(f"//{self.host}") if proxy is None else proxy
            made = dialled(to.hostname or "", to.port or PORTS[to.scheme or self.scheme])
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            refused = self._tunnel(made, proxy) if proxy is not None and self.scheme == "https" else None
        except (OSError, ValueError) as error:
            refuse_too_many(error)
            refused = cause(error)
        if refused is None and made is not None:
            return made
        if made is not None:
            made.close()
        if proxy is None:
            named = self.host.rpartition("@")[2]  # before the @ there may be a password
            raise BrokenError(f"{named}, which the link names: {refused}; check the network")
        raise BrokenError(f"the proxy {place(proxy.geturl())}: {refused}; {_HINT}")

    def _tunnel(self, made: socket.socket, proxy: SplitResult) -> str | None:
        """
        Let a proxy connect to the host, which sends nothing before it is asked.

        :return: Why the proxy refuses, or ``None``.
        """
        to = urlsplit(f"//{self.host}")
        host = f"[{to.hostname}]" if ":" in str(to.hostname) else to.hostname
        named = f"{host}:{to.port or PORTS[self.scheme]}"
        lines = [f"CONNECT {named} HTTP/1.1", f"Host: {named}"]
        made.sendall(_head([*lines, *(f"{name}: {value}" for name, value in _authorization(proxy).items())]))
        head = b""
        while b"\r\n\r\n" not in head and (came := made.recv(BUFFER)):
            head += came
        status = head.partition(b" ")[2][:3].decode("latin-1")
        return None if status == "200" else _OF_PROXIES.get(status, f"it answered {status or 'nothing'}")

    def request(self, url: str, headers: Mapping[str, str]) -> bytes:
        """Return a request; the URL is sent as it is, since it was signed so."""
        target, more = url, dict(headers)
        if self.scheme == "https" or self.proxy is None:
            target = url.partition("://")[2].removeprefix(self.host) or "/"
            target = target if target.startswith("/") else f"/{target}"
        elif (proxy := self._proxy) is not None:
            more |= _authorization(proxy)
        named = self.host.removesuffix(f":{PORTS.get(self.scheme)}")  # as SigV4 has signed it; a store compares it
        lines = [f"GET {target} HTTP/1.1", f"Host: {named}", *(f"{name}: {value}" for name, value in more.items())]
        return _head(lines)


def dialled(host: str, port: int) -> socket.socket:
    """
    Connect to one of a host's addresses: IPv6 and IPv4 take turns, first the one that answered last.

    Where IPv6 leads nowhere, each of a host's eight addresses would else take ``CONNECT_SECONDS`` at each connection.

    :raises OSError: No address answers, or the name has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    versions = [version for version, *_ in found]
    turns = sorted(range(len(found)), key=lambda at: (versions[:at].count(versions[at]), versions[at] not in _answered))
    failed: OSError | None = None
    for version, kind, protocol, _, address in (found[at] for at in turns):
        made = None
        try:
            made = socket.socket(version, kind, protocol)  # fails where IPv6 is switched off
            made.settimeout(CONNECT_SECONDS)
            made.connect(address)
        except OSError as error:
            if made is not None:
                made.close()
            failed = error
        else:
            _answered[:] = [version]
            return made
    raise failed or OSError(f"{host} has no address")


def _head(lines: list[str]) -> bytes:
    if any("\r" in line or "\n" in line for line in lines):
        raise BrokenError("the URL holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    import base64  # noqa: PLC0415 - few proxies want a password

    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
