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
