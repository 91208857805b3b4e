"""The lister over HTTP: each key once and in order, refused tokens, pages whose keys never become objects."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.handlers
import pytest

from processor.aws import open_s3
from processor.errors import CursorRefusedError, SourceRefusedError
from processor.listing import Lister, Page
from processor.listing.listed import Listed, read
from processor.listing.page_parser import KEYS
from tests.builders import job_of
from tests.corpus import AWKWARD_KEYS
from tests.pages import aws_page
from tests.scripted_s3 import FOREVER, Fault, ScriptedS3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processor.job import Job

SORTED = sorted(AWKWARD_KEYS)
JOB = job_of(suffix="", page_size=7)


@pytest.fixture
def s3(scripted_s3: ScriptedS3) -> ScriptedS3:
    """Give the server the awkward keys."""
    scripted_s3.keys = SORTED
    return scripted_s3


def listed(s3: ScriptedS3, cursor: str | None = None, start_after: str | None = None, job: Job = JOB) -> list[Page]:
    """Return the pages from a place on."""

    async def run() -> list[Page]:
        async with open_s3(s3.endpoint, 4) as (client, _):
            return [page async for page in Lister(client, job, ()).pages(cursor, start_after)]

    return asyncio.run(run())


def keys_of(pages: list[Page]) -> list[str]:
    """Return all keys of some pages."""
    return [key for page in pages for key in page.keys]


def test_each_awkward_key_comes_once_and_in_order(s3: ScriptedS3) -> None:
    """Each page names its last key and the next page's token, and the last page is marked."""
    pages = listed(s3)
    assert keys_of(pages) == SORTED
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [page.cursor for page in pages[:-1]] == [f"token-{7 * n}" for n in range(1, len(pages))]
    assert pages[-1].cursor is None
    assert [page.last_key for page in pages] == [page.keys[-1] for page in pages]


def test_an_empty_listing_is_one_empty_last_page(s3: ScriptedS3) -> None:
    """A listing without keys is not an error."""
    s3.keys = []
    assert listed(s3) == [Page([], 0, None, None, is_last=True)]


def test_no_object_is_built_and_no_page_is_parsed_twice(s3: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the client that the Lambda opens, both of botocore's parses see a page without its keys, if any."""
    handlers: Any = botocore.handlers
    look, looked = handlers._looks_like_special_case_error, list[bytes]()
    parsed: list[Mapping[str, Any]] = []

    def spy(response: Mapping[str, Any], names: Sequence[str]) -> Listed:
        parsed.append(response)
        return read(response, names)

    def record(status: int, body: bytes) -> bool:
        looked.append(body)
        return bool(look(status, body))

    monkeypatch.setattr(handlers, "_looks_like_special_case_error", record)
    monkeypatch.setattr("processor.listing.list_requests.read", spy)
    pages = listed(s3)
    assert len(parsed) == len(pages) > len(looked) > 0
    assert not any("Contents" in page or KEYS not in page for page in parsed)
    assert not any(b"<Contents>" in body or b"<KeyCount>" not in body for body in looked)


def test_a_cursor_continues_at_its_place(s3: ScriptedS3) -> None:
    """A token from an earlier hop is sent unchanged, and nothing before it is listed."""
    assert keys_of(listed(s3, cursor="token-14", start_after=SORTED[13])) == SORTED[14:]
    assert s3.queries[0][1]["continuation-token"] == "token-14"
    assert "start-after" not in s3.queries[0][1]


def test_a_cursor_before_the_last_key_repeats_no_key(s3: ScriptedS3) -> None:
    """Keys that the token would list again, even more than a page, are dropped by the last key beside it."""
    assert keys_of(listed(s3, cursor="token-7", start_after=SORTED[20])) == SORTED[21:]


def test_a_refused_cursor_without_a_last_key_is_terminal(s3: ScriptedS3) -> None:
    """S3 does not know the token, and no key says where to continue: the cursor is refused, at once."""
    with pytest.raises(CursorRefusedError):
        listed(s3, cursor="bogus")
    assert s3.count("ListObjectsV2") == 1


def test_a_refused_cursor_with_a_last_key_continues_after_that_key(s3: ScriptedS3) -> None:
    """An expired token is replaced by ``StartAfter``, and no key is lost or repeated."""
    assert keys_of(listed(s3, cursor="bogus", start_after=SORTED[9])) == SORTED[10:]
    assert [query.get("start-after") for _, query in s3.queries[:2]] == [None, SORTED[9]]


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.NO_BUCKET], ids=lambda fault: fault.name)
def test_another_refusal_is_not_taken_for_a_refused_cursor(fault: Fault, s3: ScriptedS3) -> None:
    """Even with a last key, a missing bucket is not asked again."""
    s3.inject("ListObjectsV2", fault, FOREVER)
    with pytest.raises(SourceRefusedError):
        listed(s3, cursor="token-7", start_after=SORTED[6])
    assert s3.count("ListObjectsV2") == 1


def test_a_truncated_page_is_requested_again(s3: ScriptedS3) -> None:
    """Bodies that end early, with or without a length, never shorten the listing."""
    for fault in (Fault.CUT, Fault.TRUNCATED, Fault.CUT):
        s3.inject("ListObjectsV2", fault, 1)
    assert keys_of(listed(s3)) == SORTED


@pytest.mark.parametrize("written", ["\x01", "\x1f", "&#x01;", "&#1;", "&#x0B;"])
def test_a_token_that_xml_cannot_hold_is_replaced_by_the_last_key(
    written: str, s3: ScriptedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ceph's token is the key, which may hold a control character: the page was "500: Internal Server Error"."""

    def page(keys: Sequence[str], token: str | None) -> bytes:
        echo = f"<StartAfter>{written}</StartAfter><Name>".encode()
        return aws_page(keys, token and written).replace(b"<Name>", echo)

    monkeypatch.setattr("tests.scripted_s3.aws_page", page)
    assert keys_of(listed(s3)) == SORTED
    assert keys_of(listed(s3, job=replace(JOB, end_at=SORTED[-1]))) == SORTED, "without a request ahead"


def test_a_server_without_key_order_is_refused(s3: ScriptedS3) -> None:
    """Each key once depends on UTF-8 order; directory buckets have none."""
    s3.keys = [*SORTED[:10], SORTED[3], *SORTED[10:]]
    with pytest.raises(SourceRefusedError, match="not listed in key order"):
        listed(s3)


def test_requests_have_the_page_size_and_the_key_range(s3: ScriptedS3) -> None:
    """Pages have the job's size, the listing starts after ``start_after``, and ends at ``end_at``."""
    job = replace(JOB, page_size=5, end_at=SORTED[11])
    assert keys_of(listed(s3, start_after=SORTED[1], job=job)) == SORTED[2:12]
    assert s3.count("ListObjectsV2") == 2
    assert {query["max-keys"] for _, query in s3.queries} == {"5"}
    assert {query["encoding-type"] for _, query in s3.queries} == {"url"}
