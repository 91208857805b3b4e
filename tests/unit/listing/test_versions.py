"""Versions: the latest of each key, none of a deleted key, whatever page or range lists them."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.errors import InvalidEventError, SourceRefusedError
from processor.listing.listed import Listed, read_versions
from processor.listing.version_parser import take_versions
from tests.builders import job_of
from tests.executions import Hops
from tests.fakes import FakeS3
from tests.memory_s3 import etag
from tests.oracle import make_client

if TYPE_CHECKING:
    from processor.job import Job

NAMES = ("size", "etag", "storage_class", "version_id")
KEYS = [f"{letter}/{number:03d}.pdf" for letter in "abc" for number in range(60)]
OLDER = {key: 9 * (number % 11 == 0) + number % 3 for number, key in enumerate(KEYS)}
DELETED = frozenset(KEYS[::13])


def lines(s3: FakeS3, job: Job, *pages: int) -> list[dict[str, Any]]:
    """Run a job in hops of the given pages, and return the manifest's lines."""
    asyncio.run(Hops(s3).chain(job, itertools.islice(itertools.cycle(pages or (500,)), 500)))
    (key,) = [key for key in s3.objects if key.startswith(f"manifests/{job.job_key[:16]}")]
    return [json.loads(line) for line in s3.objects[key].splitlines()]


def version_of(line: dict[str, Any]) -> str:
    """Return the version that a line's URL names."""
    return str(parse_qs(urlsplit(line["url"]).query)["versionId"][0])


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("page_size", [1, 7, 1000])
def test_each_link_names_the_latest_version_and_a_deleted_key_has_no_link(page_size: int, concurrency: int) -> None:
    """By one chain and by ranges; old versions may fill whole pages, and hops end anywhere."""
    s3 = FakeS3(list(KEYS), older=lambda key: OLDER.get(key, 0), deleted=DELETED, facts=lambda key: {"Size": len(key)})
    job = job_of(version_ids=True, page_size=page_size, concurrency=concurrency, fields="size", min_size=1)
    found = lines(s3, job, 3, 40)
    kept = [key for key in KEYS if key not in DELETED]
    assert [line["key"] for line in found] == kept
    assert [version_of(line) for line in found] == [f"0-{key}" for key in kept]
    assert {line["size"] for line in found} == {len(KEYS[0])}
    asked = [request for operation, request in s3.wire if operation == "list"]
    assert not any("ContinuationToken" in request or "StartAfter" in request for request in asked)


def test_a_deleted_key_is_counted_unless_its_name_leaves_it_out() -> None:
    """A delete marker has no size: no other fact is checked."""
    s3 = FakeS3(["a.pdf", "b.pdf", "c.txt"], deleted=frozenset({"a.pdf", "c.txt"}), facts=lambda _: {"Size": 3})
    outcome, _ = asyncio.run(Hops(s3).chain(job_of(version_ids=True, min_size=1), [9]))
    assert outcome.checkpoint.counts.skipped == {"suffix": 1, "deleted": 1}


def test_a_server_that_begins_with_older_versions_of_the_marker_key_is_continued() -> None:
    """Moto does; a page of these alone is not the end."""
    s3 = FakeS3(["a", "b", "c"], older=lambda _: 5)
    faithful = s3.do_list_object_versions

    def deviant(*, KeyMarker: str = "", VersionIdMarker: str = "", **request: Any) -> dict[str, Any]:  # noqa: N803
        marker = VersionIdMarker or (f"0-{KeyMarker}" if KeyMarker else "")
        return faithful(KeyMarker=KeyMarker, VersionIdMarker=marker, **request)

    s3.do_list_object_versions = deviant  # type: ignore[method-assign]
    found = lines(s3, job_of(version_ids=True, page_size=2, concurrency=1, suffix=""))
    assert [version_of(line) for line in found] == ["0-a", "0-b", "0-c"]


def test_a_refresh_pins_the_versions_that_the_earlier_manifest_pins() -> None:
    """The versions are in its URLs; a list without a version is refused."""
    old = [{"key": key, "url": f"https://x/{key}?versionId=v{key}&X-Amz-Signature=1"} for key in "ab"]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in old)
    s3 = FakeS3([])
    s3.store("old.jsonl", body, {}, etag(body))
    found = lines(s3, job_of(refresh="s3://reports/old.jsonl", version_ids=True))
    assert [version_of(line) for line in found] == ["va", "vb"]
    s3.store("keys.csv", b"Key,VersionId\na,v1\nb,\n", {}, '"e"')
    with pytest.raises(SourceRefusedError, match="no version of 'b'"):
        lines(s3, job_of(keys_from="s3://reports/keys.csv", version_ids=True))


def test_the_probe_uses_links_that_name_versions() -> None:
    """The sample keeps the versions beside its keys, in a checkpoint too."""
    s3 = FakeS3(list(KEYS), older=lambda key: OLDER.get(key, 0))
    outcome, _ = asyncio.run(Hops(s3).chain(job_of(version_ids=True, page_size=50), itertools.repeat(1, 99)))
    sample = outcome.checkpoint.counts.sample
    assert dict(sample.versions) == {key: f"0-{key}" for key in sample.keys}


def test_a_cursor_is_refused_for_a_listing_of_versions() -> None:
    """Such a listing has markers instead."""
    with pytest.raises(InvalidEventError, match="cursor"):
        job_of(version_ids=True, cursor="token")


@pytest.mark.parametrize(
    ("encoding", "key"), [({"EncodingType": "url"}, "a%2Bb+%C3%BC.pdf"), ({}, "a+b \u00fc.pdf")], ids=["url", "plain"]
)
def test_a_page_of_older_versions_continues_after_its_last_one(encoding: dict[str, str], key: str) -> None:
    """Only the key is encoded: a version's id is the store's own text."""
    ends = {"IsTruncated": True, "NextKeyMarker": key, "NextVersionIdMarker": "7+%41", **encoding}
    assert read_versions(ends, ()).cursor == "7+%41\na+b \u00fc.pdf"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """Draw an answer as a server writes it."""
    written = list[str]()
    for key in sorted(draw(st.sets(TEXT, max_size=5))):
        for number in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["Version", "Version", "DeleteMarker"]))
            head = (
                f"<Key>{escape(key)}</Key><VersionId>{number}</VersionId><IsLatest>{str(not number).lower()}</IsLatest>"
            )
            facts = "<ETag>&quot;e&quot;</ETag><Size>3</Size><StorageClass>GLACIER</StorageClass>"
            owner = "<Owner><ID>75aa</ID></Owner><LastModified>2026-04-01T06:30:15.000Z</LastModified>"
            written.append(f"<{kind}>{head}{facts if kind == 'Version' else ''}{owner}</{kind}>")
    if draw(st.booleans()):
        written.sort(key=lambda text: text.startswith("<D"))
    more = draw(st.sampled_from(["true", "false"]))
    ends = "<NextKeyMarker>z</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>" if more == "true" else ""
    head = f'<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{more}</IsTruncated>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{ends}{"".join(written)}</ListVersionsResult>'.encode()


def parsed(body: bytes, *, fast: bool) -> Listed:
    """Return what the lister takes from an answer."""
    client = make_client()
    response, taken = {"status_code": 200, "body": body, "headers": {}}, dict[str, Any]()
    if fast:
        take_versions(response, taken)
    model = client.meta.service_model.operation_model("ListObjectVersions")
    found = client._endpoint._response_parser_factory.create_parser("rest-xml").parse(response, model.output_shape)
    return read_versions(found | taken, NAMES)


def test_a_server_that_lists_objects_instead_of_versions_is_refused() -> None:
    """It ignores unknown parameters; each of its pages was taken for one without a version, and so for the end."""
    page = b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a.pdf</Key></Contents></ListBucketResult>"
    with pytest.raises(SourceRefusedError, match="does not support version_ids"):
        parsed(page, fast=True)


@given(pages())
def test_a_page_is_read_as_botocores_parser_reads_it(body: bytes) -> None:
    """Keys, facts, archived objects and the place after the page."""
    assert parsed(body, fast=True) == parsed(body, fast=False)
