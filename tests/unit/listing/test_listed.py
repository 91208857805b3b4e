"""Answers of a listing are checked: none that contradicts itself counts, and no key is left out in silence."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.hooks import HierarchicalEmitter

from processor.errors import ArchivedError, RetryableError, SourceRefusedError
from processor.job import DeploymentSettings, Job
from processor.listing import Lister, Page
from processor.listing.listed import read
from processor.listing.page_parser import FIRST_VERSION, take_keys
from tests.conftest import NOW
from tests.fakes import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOYMENT = DeploymentSettings.from_environment({}, {})
Request = dict[str, Any]


class Server:
    """An S3 client that answers each list request as a function says."""

    def __init__(self, answer: Callable[[Request], dict[str, Any]]) -> None:
        self.meta, self.requests, self._answer = SimpleNamespace(events=HierarchicalEmitter()), list[Request](), answer

    async def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        """Answer."""
        self.requests.append(request)
        return self._answer(request)


def answer(*keys: str, more: bool | None = False, token: str | None = None, **facts: Any) -> dict[str, Any]:
    """Return an answer with some keys, and further facts of each where given."""
    found: dict[str, Any] = {"Contents": [{"Key": key, **facts.get(key, {})} for key in keys], "KeyCount": len(keys)}
    found |= {} if more is None else {"IsTruncated": more}
    return found | ({} if token is None else {"NextContinuationToken": token})


def pages(server: Server, cursor: str | None = None, start_after: str | None = None, **event: Any) -> list[Page]:
    """List all pages, one after the other."""
    job = Job.from_event({"bucket": "reports", **event}, config={}, environment={}, deployment=DEPLOYMENT, now=NOW)
    client: Any = server

    async def listed() -> list[Page]:
        return [page async for page in Lister(client, job, job.manifest_places(DEPLOYMENT)).pages(cursor, start_after)]

    return asyncio.run(listed())


def keys(found: list[Page]) -> list[str]:
    """Return the keys of pages."""
    return [key for page in found for key in page.keys]


def test_a_token_is_followed_although_the_page_claims_to_be_the_last() -> None:
    """Of two contradicting statements, the one that may lead to more keys counts."""
    server = Server(lambda r: answer("b.pdf") if "ContinuationToken" in r else answer("a.pdf", token="t"))
    assert keys(pages(server)) == ["a.pdf", "b.pdf"]


def test_a_server_without_is_truncated_is_asked_until_a_page_is_empty() -> None:
    """Only an empty page after the last key shows the end."""
    server = Server(lambda r: answer(more=None) if r.get("StartAfter") == "a.pdf" else answer("a.pdf", more=None))
    assert keys(pages(server)) == ["a.pdf"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_a_full_page_is_not_the_end(size: int) -> None:
    """Some servers stop at the number of keys that the request names, good or bad, and claim that nothing follows."""
    names, bad = [f"{letter}.pdf" for letter in "abcde"], [f"a{'x' * 1024}.pdf"] * (size > 1)
    held = sorted(names + bad)
    server = Server(lambda r: answer(*[name for name in held if name > r.get("StartAfter", "")][:size]))
    assert keys(found := pages(server, page_size=size)) == names
    assert sum(len(page.unsignable) for page in found) == len(bad)


def test_a_full_page_after_a_token_costs_no_further_request() -> None:
    """The token shows that the server can continue; the last page of a hop may be its first."""
    server = Server(lambda _: answer("a.pdf", "b.pdf"))
    assert keys(pages(server, cursor="t", page_size=2)) == ["a.pdf", "b.pdf"]
    assert len(server.requests) == 1


def test_a_repeated_full_page_is_refused() -> None:
    """Such a server also ignores where to start: the keys after the page cannot be listed."""
    with pytest.raises(RetryableError, match="neither a key nor a token"):
        pages(Server(lambda _: answer("a.pdf", "b.pdf")), page_size=2)


def test_a_server_that_repeats_its_first_page_still_ends() -> None:
    """It lacks ``IsTruncated``, and ignores where to start."""
    assert keys(pages(Server(lambda _: answer("a.pdf", "b.pdf", more=None)))) == ["a.pdf", "b.pdf"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda _: answer(more=True), "neither a key nor a token"),
        (lambda _: answer(more=True, token="t"), "no key, and the same token again"),
        (lambda r: answer(more=True, token="u" if r.get("ContinuationToken") == "t" else "t"), "same token again"),
        (lambda _: {"KeyCount": 3, "IsTruncated": False}, "says that it holds 3 keys, but holds 0"),
        (lambda _: {"Contents": [{"Size": 1}], "IsTruncated": False}, "an object without a key"),
        (lambda _: answer(""), "an object without a key"),
        (lambda _: answer() | {"KeyCount": int("many")}, "cannot be read: .*'many'"),
    ],
)
def test_a_listing_that_contradicts_itself_is_an_error_that_names_it(
    script: Callable[[Request], dict[str, Any]], reason: str
) -> None:
    """The fault is the server's: the request is tried again, and the listing has no end there."""
    with pytest.raises(RetryableError, match=reason):
        pages(Server(script))


def test_one_page_that_contradicts_itself_is_asked_for_again() -> None:
    """A proxy may cut a page's objects, and keep the rest of it."""
    torn = [{"KeyCount": 2, "IsTruncated": False, "Contents": [{"Key": "b.pdf"}]}]
    server = Server(lambda _: torn.pop() if torn else answer("a.pdf", "b.pdf"))
    assert keys(pages(server)) == ["a.pdf", "b.pdf"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(("start_after", "reason"), [(None, "lists 'a.pdf' after 'b.pdf'"), ("y", "own token says")])
def test_a_page_repeated_under_new_tokens_ends_the_listing(start_after: str | None, reason: str) -> None:
    """Such a server continues for ever, at a price for each request; its pages have nothing new after the last key."""
    tokens = itertools.count()
    server = Server(lambda _: answer("a.pdf", "b.pdf", more=True, token=f"t{next(tokens)}"))
    with pytest.raises(SourceRefusedError, match=reason):
        pages(server, start_after=start_after)
    assert len(server.requests) <= 3


def test_a_server_of_the_first_version_alone_is_refused_by_name() -> None:
    """It ignores ``StartAfter`` and gives no token; a single page of it is a valid listing."""
    with pytest.raises(SourceRefusedError, match="answers as ListObjects does"):
        pages(Server(lambda _: {**answer("a.pdf", more=True), FIRST_VERSION: True}))
    assert keys(pages(Server(lambda _: {**answer("a.pdf"), FIRST_VERSION: True}))) == ["a.pdf"]


def test_pages_without_a_key_keep_their_tokens() -> None:
    """Between keys the token alone marks the place: a hop may end at any of these pages."""
    steps = {None: answer("a.pdf", more=True, token="1"), "1": answer(more=True, token="2"), "2": answer("z.pdf")}
    found = pages(Server(lambda r: steps[r.get("ContinuationToken")]))
    assert [(page.cursor, page.last_key) for page in found] == [("1", "a.pdf"), ("2", "a.pdf"), (None, "z.pdf")]


@pytest.mark.parametrize("strangers", [("public/a.pdf", "secret/b.pdf"), ("a.pdf", "public/b.pdf"), ("Public/a.pdf",)])
def test_keys_outside_the_prefix_are_refused(strangers: tuple[str, ...]) -> None:
    """A server that ignores the prefix, drops its slash or folds its case would get other people's files signed."""
    with pytest.raises(SourceRefusedError, match="keys under 'public/', but lists .* does not read the prefix"):
        pages(Server(lambda _: answer(*strangers)), prefix="public/")


def test_a_key_that_no_request_can_carry_is_reported_and_stops_no_other() -> None:
    """Bytes that are not UTF-8, or more than 1,024 of them, fit into no request and no sibling's payload."""
    long = f"c{'x' * 1024}.pdf"
    (page,) = pages(Server(lambda _: answer("a.pdf", "b%FF.pdf", long, "d.pdf", "e%FF.txt") | {"EncodingType": "url"}))
    assert page.keys == ["a.pdf", "d.pdf"]
    assert page.unsignable == (("b\udcff.pdf", "not UTF-8"), (long, "longer than 1,024 bytes"))


def test_a_replacement_character_is_a_character() -> None:
    """U+FFFD in a key is not taken for a byte that is no UTF-8."""
    assert read(answer("%EF%BF%BD.pdf") | {"EncodingType": "url"}).keys == ["\ufffd.pdf"]


def test_an_unsignable_key_after_the_last_good_one_is_counted_once() -> None:
    """Without a token the next page begins after the last key that a request can carry, and repeats it."""
    server = Server(
        lambda r: (
            answer("b%FF.pdf", "c.pdf") | {"EncodingType": "url"}
            if r.get("StartAfter") == "a.pdf"
            else answer("a.pdf", "b%FF.pdf", more=True) | {"EncodingType": "url"}
        )
    )
    assert [len(page.unsignable) for page in pages(server)] == [0, 1]


ARCHIVED = {"StorageClass": "GLACIER"}
RESTORED = {"IsRestoreInProgress": False, "RestoreExpiryDate": NOW}
COLD: dict[str, Any] = {"a.pdf": ARCHIVED, "b.txt": ARCHIVED, "c.pdf": {"StorageClass": "GLACIER_IR"}}


@pytest.mark.parametrize(
    ("archived", "taken", "skipped"),
    [("include", ["a.pdf", "c.pdf"], {"suffix": 1}), ("skip", ["c.pdf"], {"suffix": 1, "archived": 1})],
)
def test_archived_objects_are_counted(archived: str, taken: list[str], skipped: dict[str, int]) -> None:
    """Only those that the job takes; Glacier Instant Retrieval is read like any other class."""
    (page,) = pages(Server(lambda _: answer("a.pdf", "b.txt", "c.pdf", **COLD)), archived=archived)
    assert (page.keys, page.archived, page.skipped) == (taken, 1, skipped)


def test_a_job_may_fail_at_the_first_archived_object() -> None:
    """A user who wants every link to work learns it at once."""
    with pytest.raises(ArchivedError, match="'a.pdf' is archived"):
        pages(Server(lambda _: answer("a.pdf", **COLD)), archived="fail")


def test_the_restore_status_is_requested_once_there_is_an_archived_object() -> None:
    """The header goes to no store without an archive; after the first archived object it goes with every request."""
    status: dict[str, Any] = {"a.pdf": ARCHIVED | {"RestoreStatus": RESTORED}, "b.pdf": ARCHIVED}

    def script(request: Request) -> dict[str, Any]:
        facts = status if "OptionalObjectAttributes" in request else {"a.pdf": ARCHIVED, "b.pdf": ARCHIVED}
        return answer("b.pdf", **facts) if "ContinuationToken" in request else answer("a.pdf", token="t", **facts)

    server = Server(script)
    assert [page.archived for page in pages(server)] == [0, 1]
    assert ["OptionalObjectAttributes" in request for request in server.requests] == [False, True, True]


def test_a_store_that_refuses_the_header_is_asked_without_it() -> None:
    """Its archived objects are counted, restored or not."""

    def script(request: Request) -> dict[str, Any]:
        if "OptionalObjectAttributes" in request:
            raise refuse("NotImplemented", "ListObjectsV2", 501)
        return answer("b.pdf", **COLD) if "ContinuationToken" in request else answer("a.pdf", token="t", **COLD)

    server = Server(script)
    assert [page.archived for page in pages(server)] == [1, 0]
    assert len(server.requests) == 3


def test_keys_among_manifests_are_counted_as_left_out() -> None:
    """They may hold live URLs; the count explains why they are missing."""
    (page,) = pages(Server(lambda _: answer("a.pdf", "manifests/b.pdf", "manifests/c.txt")))
    assert (page.keys, page.skipped) == (["a.pdf"], {"suffix": 1, "manifests": 1})


@pytest.mark.parametrize("mark", ["<Marker></Marker>", "<Marker/>", "<Marker>a.pdf</Marker>"])
def test_the_first_version_is_recognised_by_its_marker(mark: str) -> None:
    """A key may hold the word."""
    objects = "<IsTruncated>true</IsTruncated><Contents><Key>&lt;Marker</Key></Contents>"
    for head, is_first in ((mark, True), ("<KeyCount>1</KeyCount>", False)):
        found: dict[str, Any] = {}
        take_keys({"status_code": 200, "body": f"<ListBucketResult>{head}{objects}</ListBucketResult>".encode()}, found)
        assert (FIRST_VERSION in found) is is_first
