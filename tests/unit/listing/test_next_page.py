"""The request that is sent ahead while a page is awaited."""

from __future__ import annotations

import asyncio

from processor.listing.listed import Listed
from processor.listing.next_page import NextPage
from tests.pages import aws_page


def test_a_request_sent_ahead_after_a_broken_answer_is_cancelled() -> None:
    """The answer was requested again, and the second one continues elsewhere, where the next page begins."""
    sent = list[str | None]()

    async def send(cursor: str | None, _: str | None) -> Listed:
        sent.append(cursor)
        if cursor == "first":
            await pages.on_page({"status_code": 200, "body": aws_page(["a.pdf"], "of-the-broken-one")})
        return Listed([f"{cursor}.pdf"], "of-the-whole-one", truncated=True)

    async def second() -> list[str]:
        found = await pages.get("first", None)
        return (await pages.get(found.cursor, "a.pdf")).keys

    pages = NextPage(send)
    pages.is_asked_ahead = True
    assert asyncio.run(second()) == ["of-the-whole-one.pdf"]
    assert sent == ["first", "of-the-broken-one", "of-the-whole-one"]


def test_a_page_that_has_said_where_the_next_one_begins_is_not_waited_for() -> None:
    """It was asked for ahead, and its beginning came while the page before it was still on its way."""
    sent, whole = list[str | None](), asyncio.Event()

    async def send(cursor: str | None, _: str | None) -> Listed:
        sent.append(cursor)
        token = str(int(cursor or "0") + 1)
        await pages.on_page({"status_code": 200, "body": aws_page(["a.pdf"], token)})
        if cursor == "2":
            await whole.wait()
        return Listed([f"{cursor}.pdf"], token, truncated=True)

    async def run() -> list[str]:
        await pages.get("1", None)
        await asyncio.sleep(0)
        assert sent == ["1", "2"], "one request is ahead of the page that is waited for"
        second = asyncio.create_task(pages.get("2", "1.pdf"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert sent == ["1", "2", "3"]
        whole.set()
        found = [*(await second).keys, *(await pages.get("3", "2.pdf")).keys]
        await asyncio.sleep(0)
        await pages.forget()
        return found

    pages = NextPage(send)
    pages.is_asked_ahead = True
    assert asyncio.run(run()) == ["2.pdf", "3.pdf"]
    assert sent == ["1", "2", "3", "4"]
