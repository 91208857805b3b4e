"""
Access to the page: only a browser of this machine, with the token of this session, and no page of another site.

A page of another site can make the browser call a loopback port. So the Host header must be this server's own (a name
that an attacker re-points to 127.0.0.1 is refused), the session must be known (the URL that is printed carries a token;
it is exchanged for a cookie that scripts cannot read and other sites cannot send), and a request that changes anything
must come from this origin.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Middleware

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "tester_session"
TOKEN = "token"  # noqa: S105 - the parameter's name
HOSTS = ("127.0.0.1", "localhost")
SAFE = frozenset({"GET", "HEAD"})
# The page loads nothing from elsewhere, the browser keeps nothing, and no other page may frame, open or read this one.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Session:
    """
    One run of the server.

    :param port:   Port of the server.
    :param token:  Token in the printed URL.
    :param cookie: Cookie that replaces the token after the first request.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        """The URL to open."""
        return f"http://{HOSTS[0]}:{self.port}/?{TOKEN}={self.token}"

    def refusal(self, request: web.Request) -> str | None:
        """Return why a request is refused, or ``None`` for a request of this session."""
        hosts = {f"{host}:{self.port}" for host in HOSTS}
        if request.headers.get("Host", "") not in hosts:
            return "the Host header names another server"
        if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self.cookie.encode()):
            return "no session: open the URL that the terminal shows"
        if request.method not in SAFE and request.headers.get("Origin") != f"http://{request.headers['Host']}":
            return "the request comes from another site's page"
        return None

    def is_opened_by(self, request: web.Request) -> bool:
        """Return whether a request is the first one, which carries the token."""
        hosts = {f"{host}:{self.port}" for host in HOSTS}
        shown = request.query.get(TOKEN, "").encode()
        at_home = request.path == "/" and request.method == "GET" and request.headers.get("Host", "") in hosts
        return at_home and hmac.compare_digest(shown, self.token.encode())

    def welcome(self) -> web.Response:
        """Exchange the token for the cookie, and redirect to a URL without the token."""
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(COOKIE, self.cookie, httponly=True, samesite="Strict", path="/")
        return answer


def guard(session: Session) -> Middleware:
    """Return the middleware that every request passes."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if session.is_opened_by(request):
            return _sealed(session.welcome())
        refusal = session.refusal(request)
        if refusal is not None:
            return _sealed(web.json_response({"message": f"refused: {refusal}"}, status=403))
        try:
            answer = await handler(request)
        except web.HTTPException as error:
            answer = web.json_response({"message": error.reason}, status=error.status)
        return answer if answer.prepared else _sealed(answer)

    return middleware


def _sealed(answer: web.StreamResponse) -> web.StreamResponse:
    answer.headers.update(HEADERS)
    return answer
