"""Whether an answer brings the object that was asked for; no URL is in any message."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from presign_siblings.manifests.answer import number
from presign_siblings.manifests.checksums import etag_of
from presign_siblings.manifests.requests import FetchError
from processor.causes import OF_STORES, READ_BYTES

if TYPE_CHECKING:
    from presign_siblings.manifests.answer import Answer
    from presign_siblings.manifests.fetched import Sink

CHANGED_STATUSES = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


def size_of(answer: Answer, at: int) -> int | None:
    """
    Return an object's size by an answer; ``None`` where the answer does not give it.

    :param at: The first byte that the answer holds.
    """
    total = number(answer.headers.get("content-range", "").rpartition("/")[2])
    if total is not None:
        return total
    return None if answer.length is None else at + answer.length


def continues(answer: Answer, sink: Sink) -> bool:
    """Whether an answer continues the stored bytes, or is the whole object."""
    if answer.status in CHANGED_STATUSES:
        return False
    begins = answer.headers.get("content-range", "").startswith(f"bytes {sink.begun}-")
    return answer.status == HTTPStatus.OK or (begins and etag_of(answer.headers) == sink.etag)


def is_unpacked(answer: Answer) -> bool:
    """Whether the server has unpacked a compressed object, for a client that asks for no encoding."""
    stored = answer.headers.get("x-goog-stored-content-encoding", "identity")
    return stored != "identity" and "content-encoding" not in answer.headers


def _is_strange_page(answer: Answer, url: str) -> bool:
    """Whether a web page, not from a store, answers for an object that is not one: a page may have an ETag."""
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return False
    is_named_so = url.partition("?")[0].lower().endswith((".html", ".htm"))
    return not is_named_so and not any(name.startswith(("x-amz", "x-goog")) for name in answer.headers)


def refuse(answer: Answer, expected: tuple[HTTPStatus, ...], url: str) -> None:
    """
    Refuse an answer that is not a store's, or not one of those expected.

    :raises FetchError: The message says what came, and what can be done.
    """
    is_of_store = any(answer.headers.get(name) for name in OF_STORES) and not _is_strange_page(answer, url)
    if answer.status in expected and is_of_store:
        return
    from presign_siblings.manifests.refusals import no_object, refusal  # noqa: PLC0415 - mostly not needed

    if answer.status not in expected:
        refused = refusal(answer.status, answer.headers, answer.read(READ_BYTES))
        raise FetchError(refused.message, code=refused.code, passing=refused.passing, after=refused.after)
    stranger = no_object(answer.status, answer.headers)
    if stranger is not None:
        raise FetchError(stranger.message, code=stranger.code, passing=stranger.passing)
