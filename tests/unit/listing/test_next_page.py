"""The request that is sent ahead of the page that is waited for."""

from __future__ import annotations

import asyncio

from processor.listing.listed import Listed
from processor.listing.next_page import NextPage
from tests.pages import aws_page


def test_a_request_that_a_broken_answer_has_sent_ahead_is_given_up() -> None:
    """The answer was tried again, and the second one continues somewhere else: its page is the next one."""
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
