"""Only this session's browser may use the tester's page, and only from this page."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dev.tester.access import COOKIE, HEADERS, Session, guard

SESSION = Session(8123, token="the-token", cookie="the-cookie")
HOME = "127.0.0.1:8123"
MINE = {"Host": HOME, "Cookie": f"{COOKIE}={SESSION.cookie}"}
REACHED = "the handler"


def ask(method: str, path: str, headers: dict[str, str]) -> web.Response:
    """Send a request through the guard to a handler whose answer shows that it was reached."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=REACHED)

    async def go() -> web.StreamResponse:
        return await guard(SESSION)(make_mocked_request(method, path, headers=headers), handler)

    answer = asyncio.run(go())
    assert isinstance(answer, web.Response)
    return answer


@pytest.mark.parametrize("host", [HOME, "localhost:8123"])
def test_the_page_of_this_session_gets_through(host: str) -> None:
    """With its cookie, and its own origin in requests that change something."""
    headers = {**MINE, "Host": host}
    assert ask("GET", "/", headers).text == REACHED
    assert ask("POST", "/api/run", {**headers, "Origin": f"http://{host}"}).text == REACHED


@pytest.mark.parametrize("host", ["evil.example:8123", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8123", ""])
def test_another_host_name_is_refused(host: str) -> None:
    """DNS rebinding: another site's name that now resolves to this machine."""
    for path in ("/", f"/?token={SESSION.token}"):
        answer = ask("GET", path, {**MINE, "Host": host})
        assert (answer.status, "Host" in str(answer.text)) == (403, True)
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("cookie", [None, "", "wrong", SESSION.token, f"{SESSION.cookie}x"])
def test_without_the_session_every_request_is_refused(cookie: str | None) -> None:
    """The token in the URL is not a cookie."""
    headers = {"Host": HOME} if cookie is None else {"Host": HOME, "Cookie": f"{COOKIE}={cookie}"}
    for path in ("/", "/events", "/api/manifest", "/static/main.js"):
        assert ask("GET", path, headers).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:9000", "https://127.0.0.1:8123"]
)
def test_another_sites_page_changes_nothing(method: str, origin: str | None) -> None:
    """Even one on another port of this machine, to which the browser sends the cookie."""
    headers = MINE if origin is None else {**MINE, "Origin": origin}
    answer = ask(method, "/api/run", headers)
    assert (answer.status, "another site" in str(answer.text)) == (403, True)


def test_the_token_is_exchanged_for_a_cookie_closed_to_scripts_and_other_sites() -> None:
    """The URL that the browser then shows has no token."""
    answer = ask("GET", f"/?token={SESSION.token}", {"Host": HOME})
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    morsel = answer.cookies[COOKIE]
    assert (morsel.value, morsel["httponly"], morsel["samesite"], morsel["path"]) == (
        SESSION.cookie,
        True,
        "Strict",
        "/",
    )
    assert "expires" not in {name for name, value in morsel.items() if value}
    assert isinstance(answer.cookies, SimpleCookie)


@pytest.mark.parametrize("path", ["/?token=", "/?token=wrong", "/api/manifest?token={}", "/events?token={}"])
def test_a_wrong_or_misplaced_token_is_refused(path: str) -> None:
    """Only the first page accepts it."""
    answer = ask("GET", path.format(SESSION.token), {"Host": HOME})
    assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)


def test_no_answer_may_be_cached_framed_or_read_by_another_site() -> None:
    """Refusals included."""
    for answer in (
        ask("GET", "/", MINE),
        ask("GET", "/", {"Host": HOME}),
        ask("GET", f"/?token={SESSION.token}", MINE),
    ):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "no-store" in HEADERS["Cache-Control"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_two_sessions_share_no_secret_and_neither_shows_one() -> None:
    """The secrets are long, and in no traceback."""
    other = Session(8123)
    assert len({SESSION.token, SESSION.cookie, other.token, other.cookie}) == 4
    assert min(map(len, (other.token, other.cookie))) >= 43
    assert other.token not in repr(other)
    assert other.cookie not in repr(other)
    assert other.url == f"http://{HOME}/?token={other.token}"
