"""Keys from other sources than one prefix come once, with their facts, in their source's order, in any hops."""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import io
import itertools
import json
import tracemalloc
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from aiohttp import ClientPayloadError

from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import comma_separated as exported
from processor.errors import ArchivedError, InvalidEventError, SourceRefusedError
from processor.hindrances import describe
from processor.job import LAST, DeploymentSettings, Job
from processor.listing.keys import object_lines
from tests.builders import job_of
from tests.conftest import NOW
from tests.executions import Heard, Hops
from tests.fakes import FakeS3
from tests.memory_s3 import etag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEYS = [
    "a b.pdf",
    "a+b.pdf",
    "a,b.txt",
    'a"c.pdf',
    "e\n.pdf",
    "\u00e9/\u00f6.PDF",
    *(f"n/{n:03d}.pdf" for n in range(40)),
]
ONE_LINE = [key for key in KEYS if "\n" not in key]
LIST = "lists/keys"
DATE = "2026-04-01T06:30:15.000Z"


def holding(name: str, body: bytes) -> FakeS3:
    """Return a bucket with one object."""
    s3 = FakeS3([])
    s3.store(name, body, {}, etag(body))
    return s3


def run(s3: FakeS3, job: Job, pages: Sequence[int] = (2,), **hops: Any) -> list[dict[str, Any]]:
    """Run a job in hops of the given pages, and return the manifest's lines."""
    cut = itertools.islice(itertools.cycle(pages), 500)
    asyncio.run(Hops(s3, **hops).chain(job, cut))
    (key,) = [key for key in s3.objects if key.startswith("manifests/") and "/.checkpoints/" not in key]
    return [json.loads(line) for line in s3.objects[key].splitlines()]


def comma_separated(head: Sequence[str], *rows: Sequence[object], delimiter: str = ",") -> bytes:
    """Return CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([head, *rows] if head else rows)
    return text.getvalue().encode()


FORMS = {
    "keys.txt": ("\r\n".join(ONE_LINE) + "\n\n").encode(),
    "keys": "\n".join(ONE_LINE).encode(),
    "of_hadoop": "\n".join(f"s3a://reports/{key}" for key in ONE_LINE).encode(),
    "of_arns": "\n".join(f"arn:aws:s3:::reports/{key}" for key in ONE_LINE).encode(),
    "of_windows": "\r\n".join(f"S3://reports/{key}" for key in ONE_LINE).encode(),
    "headed.by_redshift": comma_separated(["key", "size"], *([key, 7] for key in KEYS), delimiter="|"),
    "marked.txt": b"\xef\xbb\xbf" + "\n".join(ONE_LINE).encode(),
    "keys.jsonl": b"".join(json.dumps({"key": key, "size": 7, "url": "x"}).encode() + b"\n" for key in KEYS),
    "texts.jsonl": b"".join(json.dumps(key).encode() + b"\n\n" for key in KEYS),
    "found": b"".join(json.dumps({"Key": key}).encode() + b"\n" for key in KEYS),
    "of_athena.csv": comma_separated(["$path"], *([f"s3://reports/{key}"] for key in KEYS)),
    "headed.csv": comma_separated(["Size", "Key"], *([7, key] for key in KEYS)),
    "BARE.CSV": comma_separated([], *([key] for key in KEYS)),
    "marked.csv": b"\xef\xbb\xbf" + comma_separated(["Key"], *([key] for key in KEYS)),
    "semicolons.csv": comma_separated(["key", "x"], *([key, 1] for key in KEYS), delimiter=";"),
    "marked.jsonl": b"\xef\xbb\xbf" + b"".join(json.dumps({"key": key}).encode() + b"\r\n" for key in KEYS),
    "tabs.tsv": comma_separated(["key", "x"], *([key, 1] for key in KEYS), delimiter="\t"),
    "bare.tsv": comma_separated([], *([key, 1] for key in KEYS), delimiter="\t"),
    "of_bucket.csv": comma_separated([], *(["reports", quote_plus(key)] for key in KEYS)),
    "headed.txt": comma_separated(["key", "etag"], *([key, 1] for key in KEYS)),
    "quoted.txt": b"".join(json.dumps(key).encode() + b"\n" for key in KEYS),
    "found_by_s5cmd": b"".join(
        json.dumps({"key": f"s3://reports/{key}", "type": "file", "size": 7}).encode() + b"\n" for key in KEYS
    ),
    "of_ruby.jsonl": b"".join(b'{ "key": %s }\n' % json.dumps(key).encode() for key in KEYS),
    "of_s3.jsonl": b"".join(json.dumps({"Key": key, "Size": 7}).encode() + b"\n" for key in KEYS),
    "titled.csv": comma_separated(["key", "size", "name"], *([key, 7, "Report"] for key in KEYS)) + b"\r\n",
    "headed_by_name.csv": comma_separated(["Name", "Size"], *([key, 7] for key in KEYS)),
    "spaced.csv": b'bucket, "key", size\n'
    + b"".join(b'reports, "%s", 7\n' % key.replace('"', '""').encode() for key in KEYS),
    "joined.csv": comma_separated(["Key", "Size"], *([key, 7] for key in KEYS[:9]), ["Key", "Size"])
    + comma_separated([], *([key, 7] for key in KEYS[9:])),
}
WHOLE = ("jsonl", "sv", "CSV", "found", "headed", "quoted")
SIZED = ("redshift", "by_name", "s5cmd", "keys.jsonl", "headed.csv", "of_s3", "titled", "spaced", "joined")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_its_keys_wherever_it_is_cut(
    name: str, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    """In its order, none left out for its ending; blocks end anywhere."""
    monkeypatch.setattr(object_lines, "BLOCK", 13)
    name, body = (f"{name}.gz", gzip.compress(FORMS[name])) if packed else (name, FORMS[name])
    found = run(holding(name, body), job_of(keys_from=f"s3://reports/{name}", page_size=3, fields="size"))
    expected = KEYS if any(part in name for part in WHOLE) else ONE_LINE
    assert [line["key"] for line in found] == expected
    assert {line["size"] for line in found} == {7 if any(part in name for part in SIZED) else None}


@pytest.mark.parametrize("pages", [(1,), (2,), (100,)])
def test_a_key_named_twice_has_two_lines_wherever_the_job_is_cut(pages: Sequence[int]) -> None:
    """Each with its own facts: a list may name several versions of a key."""
    rows = [("a.pdf", "v1"), ("a.pdf", "v2"), ("b.pdf", "v3"), ("a.pdf", "v2"), ("c.pdf", "v4"), ("c.pdf", "v4")]
    s3 = holding("keys.csv", comma_separated(["key", "VersionId"], *rows))
    found = run(s3, job_of(keys_from="s3://reports/keys.csv", version_ids=True, page_size=5), pages)
    assert versions_of(found) == rows


def test_versions_that_are_not_the_latest_count_for_nothing_in_json_either() -> None:
    """``list-object-versions`` names each version of a key; without version_ids, all their links are the same."""
    rows = [("v2", True), ("v1", False)]
    entries = ({"Key": "a.pdf", "VersionId": version, "IsLatest": is_latest} for version, is_latest in rows)
    body = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
    job = job_of(keys_from="s3://reports/keys", version_ids=True)
    assert versions_of(run(holding("keys", body), job)) == [("a.pdf", "v2")]


def test_json_whose_bucket_is_null_is_of_the_jobs_own() -> None:
    """A program that leaves the field open was refused: the null was taken for another bucket."""
    found = run(holding("keys", b'{"bucket": null, "key": "a.pdf"}\n'), job_of(keys_from="s3://reports/keys"))
    assert [line["key"] for line in found] == ["a.pdf"]


def versions_of(lines: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return each line's key, with the version that its URL names."""
    return [(line["key"], parse_qs(urlsplit(line["url"]).query)["versionId"][0]) for line in lines]


@pytest.mark.parametrize("name", ["links.csv", "links", "links.csv.gz"])
def test_the_csv_of_export_gives_the_keys_and_the_versions_that_were_exported(name: str) -> None:
    """Without the apostrophes that keep a spreadsheet from running a key: the links were dead."""
    keys = sorted({*KEYS, "=1.pdf", "'=1.pdf", "''=1.pdf", "'a.pdf", "-a,b", "+1", "@x", "\t=1", "\n=1", " =1", "'"})
    entries = [Entry(key, f"https://x/?versionId=v{n}&X-Amz-Signature=1", etag="=e") for n, key in enumerate(keys)]
    body = "".join(exported(iter(entries))).encode()
    body = gzip.compress(body) if name.endswith(".gz") else body
    found = run(holding(name, body), job_of(keys_from=f"s3://reports/{name}", fields="etag", version_ids=True))
    assert versions_of(found) == [(key, f"v{n}") for n, key in enumerate(keys)]
    assert {line["etag"] for line in found} == {"=e"}


def test_a_key_is_not_shortened_where_another_program_wrote_no_apostrophe() -> None:
    """The list has the columns of an export, and the first letters of its keys are the keys' own."""
    keys = ["+1.pdf", "=1.pdf", "@x.pdf"]
    body = comma_separated(["key", "url", "expires_at"], *([key, "https://x/", ""] for key in keys))
    assert [line["key"] for line in run(holding("l.csv", body), job_of(keys_from="s3://reports/l.csv"))] == keys


def test_a_key_keeps_an_apostrophe_where_the_list_is_not_of_export() -> None:
    """Only ``export --as csv`` writes one before what a spreadsheet would run."""
    body = comma_separated(["key", "size"], ["'=1.pdf", 7])
    assert [line["key"] for line in run(holding("l.csv", body), job_of(keys_from="s3://reports/l.csv"))] == ["'=1.pdf"]


def test_a_missing_fact_is_not_taken_from_the_url() -> None:
    """Only the version of an earlier manifest's line is there."""
    s3 = holding("keys.jsonl", b'{"key": "a.pdf", "url": "https://x/a.pdf?versionId=v1"}\n')
    (line,) = run(s3, job_of(keys_from="s3://reports/keys.jsonl", fields="etag", version_ids=True))
    assert line["etag"] is None
    assert versions_of([line]) == [("a.pdf", "v1")]


VERSION = "3HL4kqCxf3vjVBH40Nrjfkd_2.x-RTE1"


def test_versions_of_a_manifest_for_batch_operations_are_signed() -> None:
    """It has no header; the job was refused for lack of versions, which it had."""
    rows = [("a b.pdf", VERSION), ("a b.pdf", "null"), ("c.pdf", VERSION[::-1])]
    s3 = holding("keys.csv", comma_separated([], *(["reports", quote_plus(key), version] for key, version in rows)))
    assert versions_of(run(s3, job_of(keys_from="s3://reports/keys.csv", version_ids=True))) == rows


@pytest.mark.parametrize("third", ["7", "0123456789abcdef" * 2, DATE, "STANDARD", f"{VERSION},true"])
def test_another_fact_after_the_key_is_taken_for_no_version(third: str) -> None:
    """A data file of S3 Inventory begins with bucket and key, too."""
    s3 = holding("keys.csv", f"reports,a.pdf,{third}\n".encode())
    with pytest.raises(SourceRefusedError, match=r"no version of 'a.pdf', which version_ids needs"):
        run(s3, job_of(keys_from="s3://reports/keys.csv", version_ids=True))


def test_a_data_file_of_an_inventory_of_all_versions_gives_what_is_there() -> None:
    """Without the report's manifest too: it has no header, and deleted keys and old versions were signed."""
    rows = [
        row("a.pdf"),
        row("a.pdf", latest="false", version="v0"),
        row("b.pdf", deleted="true"),
        row("c.pdf", version=""),
    ]
    s3 = holding("data.csv.gz", gzip.compress(comma_separated([], *rows)))
    found = run(s3, job_of(keys_from="s3://reports/data.csv.gz", version_ids=True))
    assert versions_of(found) == [("a.pdf", "v1"), ("c.pdf", "null")]


def test_a_data_file_of_an_inventory_of_latest_versions_gives_all_its_keys() -> None:
    """It has no header either; a false there says that the object did not come in parts, not that it is an old one."""
    rows = [["reports", key, "7", "false", "COMPLETED", "SSE-S3"] for key in ("a.pdf", "b.pdf")]
    found = run(holding("data.csv", comma_separated([], *rows)), job_of(keys_from="s3://reports/data.csv"))
    assert [line["key"] for line in found] == ["a.pdf", "b.pdf"]


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (f"reports,a.pdf,{VERSION}", {"versions_dropped"}),
        ("key,VersionId\na.pdf,v1", {"versions_dropped"}),
        ("key,VersionId,IsLatest\na.pdf,v1,true", set()),
        ("key,size\na.pdf,7", set()),
    ],
)
def test_versions_that_a_list_names_and_the_links_do_not_are_reported(body: str, reported: set[str]) -> None:
    """The list means these versions: each link would give the latest one without a word."""
    s3 = holding("keys.csv", body.encode())
    outcome, _ = asyncio.run(Hops(s3).chain(job_of(keys_from="s3://reports/keys.csv"), itertools.cycle([2])))
    assert set(outcome.checkpoint.counts.hindered) == reported


def test_gzip_of_several_members_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some writers of large files make such gzip."""
    monkeypatch.setattr(object_lines, "BLOCK", 17)
    body = gzip.compress(b"a\nb\n") + gzip.compress(b"c\n")
    assert [line["key"] for line in run(holding(LIST, body), job_of(keys_from=f"s3://reports/{LIST}"))] == [
        "a",
        "b",
        "c",
    ]


def test_a_highly_compressed_list_is_never_unpacked_whole() -> None:
    """64 KB unpack to 64 MB: a block would unpack to 4 GB, more than a Lambda has."""
    body = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(SourceRefusedError, match="has a line of more than"):
            run(holding("keys.gz", body), job_of(keys_from="s3://reports/keys.gz"))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("pages", "where"), [(9, "line 8 of s3://reports/{}"), (2, "the line of s3://reports/{} at byte {}")]
)
@pytest.mark.parametrize(
    ("name", "head", "line", "bad"),
    [
        ("keys", b"", b"in/%d.pdf\n", b"in/a\0.pdf\n"),
        ("keys.jsonl", b"", b'{"key": "in/%d.pdf"}\n', b'{"key": "in\n'),
        ("keys.csv", b"key,size\n", b"in/%d.pdf,7\n", b"s3://others/a.pdf,7\n"),
        ("keys.csv", b"key,size\n", b'"in/%d.pdf",7\n', b'"in/"a,7\n'),
    ],
)
def test_a_malformed_line_is_named_by_its_number(
    name: str, head: bytes, line: bytes, bad: bytes, pages: int, where: str
) -> None:
    """Or by its byte, where an earlier hop has read the lines before; only the end of its page was named."""
    before = head + b"".join(line % number for number in range(7 - head.count(b"\n")))
    s3 = holding(name, before + bad + line % 8 + line % 9)
    with pytest.raises(SourceRefusedError) as refused:
        run(s3, job_of(keys_from=f"s3://reports/{name}", page_size=3), [pages])
    assert str(refused.value).startswith(where.format(name, len(before)) + " ")


def test_a_malformed_line_after_a_key_with_line_ends_is_named_by_its_line_in_the_file() -> None:
    """An editor counts the lines within quotes too."""
    body = b'key,size\n"in/a\nb\n.pdf",7\nin/c.pdf,7\n,7\n'
    with pytest.raises(SourceRefusedError, match="^line 6 of "):
        run(holding("keys.csv", body), job_of(keys_from="s3://reports/keys.csv", page_size=2))


def test_an_unclosed_quote_ends_the_job_before_the_lambdas_time() -> None:
    """All lines after it were joined and counted again at each: 80,000 took half a minute, a million hours."""
    body = b'key\n"a\n' + b"bbbbbbbbb\n" * 80_000
    with pytest.raises(SourceRefusedError, match="has a double quote that is not closed"):
        run(holding("keys.csv", body), job_of(keys_from="s3://reports/keys.csv"))


def test_refresh__the_same_keys_are_signed_again_in_their_order() -> None:
    """With the facts of the manifest; a fact that it lacks is null."""
    old = [{"key": key, "size": n, "etag": f'"{n}"', "url": "https://x/?Signature=old"} for n, key in enumerate(KEYS)]
    body = gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in old))
    job = job_of(refresh="s3://reports/manifests/.old/old.jsonl.gz", fields="size,etag,storage_class", page_size=7)
    s3 = holding("manifests/.old/old.jsonl.gz", body)
    cut = itertools.islice(itertools.cycle([2]), 500)
    outcome, hops = asyncio.run(Hops(s3).chain(job, cut))
    (key,) = [key for key in s3.objects if key.startswith(f"manifests/{job.job_key[:16]}")]
    found = [json.loads(line) for line in s3.objects[key].splitlines()]
    assert hops > 2
    assert outcome.checkpoint.counts.count == len(KEYS)
    assert [{**line, "url": ""} for line in found] == [
        {"key": line["key"], "size": line["size"], "etag": line["etag"], "storage_class": None, "url": ""}
        for line in old
    ]
    assert not any("old" in line["url"] for line in found)
    assert s3.sent("list") == []


AWS, PINNED = "https://{}.s3.eu-west-1.amazonaws.com/a%20b.pdf?X-Amz-Signature=s", "&versionId=v1"


@pytest.mark.parametrize(
    ("url", "bucket", "reported"),
    [
        (AWS.format("reports"), "reports", set()),
        (AWS.format("my.s3.reports"), "my.s3.reports", set()),
        (AWS.format("others"), "reports", {"other_bucket"}),
        (AWS.format("reports") + PINNED, "reports", {"versions_dropped"}),
        ("http://minio:9000/reports/a%20b.pdf?X-Amz-Signature=s", "reports", set()),
        ("http://minio:9000/others/a%20b.pdf?X-Amz-Signature=s", "reports", {"other_bucket"}),
        ("https://d111111abcdef8.cloudfront.net/a%20b.pdf?Signature=s", "reports", set()),
        ("https://ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a%20b.pdf?x", "reports", set()),
        (AWS.format("readers-abcdefgh-s3alias"), "reports", set()),
        (AWS.format("others"), "readers-abcdefgh-s3alias", set()),
        ("https://example.com/elsewhere", "reports", set()),
    ],
)
def test_refresh__differences_of_the_new_links_are_reported(url: str, bucket: str, reported: set[str]) -> None:
    """An event without a bucket takes the deployment's: all its links to another bucket's keys would be dead."""
    s3 = holding("old.jsonl", b"".join([json.dumps({"key": "a b.pdf", "url": url}).encode() + b"\n"] * 3))
    job = job_of(bucket=bucket, refresh="s3://reports/old.jsonl", page_size=1, manifest_bucket="reports")
    outcome, hops = asyncio.run(Hops(s3).chain(job, itertools.cycle([2])))
    assert hops > 1
    assert set(outcome.checkpoint.counts.hindered) == reported


SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"


def report(rows: Sequence[Sequence[object]], **changes: Any) -> FakeS3:
    """Return a bucket with an inventory report of two files."""
    files, s3 = [], FakeS3([])
    for number, some in enumerate((rows[:3], rows[3:])):
        body = gzip.compress(comma_separated([], *some))
        key = f"inv/data/{number}.csv.gz"
        s3.store(key, body, {}, etag(body))
        files.append({"key": key, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()})  # noqa: S324
    manifest: dict[str, Any] = {
        "sourceBucket": "reports",
        "destinationBucket": "arn:aws:s3:::reports",
        "fileFormat": "CSV",
    }
    manifest |= {"fileSchema": SCHEMA, "files": files} | changes
    body = json.dumps(manifest).encode()
    s3.store("inv/manifest.json", body, {}, etag(body))
    s3.store("inv/manifest.checksum", hashlib.md5(body).hexdigest().encode(), {}, etag(b""))  # noqa: S324
    return s3


def row(
    key: str, *, latest: str = "true", deleted: str = "false", bucket: str = "reports", version: str = "v1"
) -> list[object]:
    """Return a row of a report."""
    return [bucket, key, version, latest, deleted, 7, DATE, "9b2c", "STANDARD"]


ROWS = [row("a%2Bb+c.pdf"), row("b.pdf", latest="false"), row("c.pdf", deleted="true"), row("d.pdf"), row("%C3%A9.pdf")]
INVENTORY: dict[str, Any] = {"keys_from": "s3://reports/inv/manifest.json"}


def test_inventory__a_report_gives_keys_with_their_facts() -> None:
    """Old versions and delete markers are left out; S3 writes the keys URL-encoded."""
    job = job_of(**INVENTORY, fields="size,etag,last_modified,storage_class", page_size=2)
    found = run(report(ROWS), job, [1])
    assert [line.pop("key") for line in found] == ["a+b c.pdf", "d.pdf", "\u00e9.pdf"]
    assert {tuple(line.values())[:4] for line in found} == {(7, "9b2c", DATE, "STANDARD")}


NAMED_SO = ["s3://reports/a.pdf", "s3://others"]


@pytest.mark.parametrize("source", ["refresh", "inventory", "csv"])
def test_an_s3_url_as_a_key_stays_a_key_where_the_source_has_keys_alone(source: str) -> None:
    """Some programs write to a key s3://bucket/key: refresh signed another object, or was refused."""
    s3, job = report([row(quote_plus(key)) for key in NAMED_SO]), job_of(**INVENTORY)
    if source == "refresh":
        body = b"".join(json.dumps({"key": key, "url": "https://x/"}).encode() + b"\n" for key in NAMED_SO)
        s3, job = holding("old.jsonl", body), job_of(refresh="s3://reports/old.jsonl")
    if source == "csv":
        body = comma_separated(["bucket", "key"], *(["reports", key] for key in NAMED_SO))
        s3, job = holding("keys.csv", body), job_of(keys_from="s3://reports/keys.csv")
    assert [line["key"] for line in run(s3, job)] == NAMED_SO


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fileFormat": "ORC"}, "a report in 'ORC': let S3 write CSV or Parquet"),
        ({"sourceBucket": "others"}, "a report of bucket 'others'"),
        ({"destinationBucket": "arn:aws:s3:::others"}, "are in bucket 'others'"),
        ({"files": [{"key": "inv/data/0.csv.gz", "MD5checksum": "0" * 32}]}, "the MD5 checksum differs"),
        ({"files": 7}, "not the manifest of an inventory report"),
    ],
)
def test_inventory__a_report_that_does_not_fit_the_job_is_refused(changes: dict[str, Any], why: str) -> None:
    """The error names the cause."""
    with pytest.raises(SourceRefusedError, match=why):
        run(report(ROWS, **changes), job_of(**INVENTORY))


def in_parquet(
    rows: Sequence[tuple[str, bool, bool]],
    changes: Mapping[str, Any] | None = None,
    **more: Sequence[str | None],
) -> FakeS3:
    """Return a bucket with a report of one file in Parquet, in row groups of four."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    at = datetime.fromisoformat(DATE)
    columns = {
        "bucket": ["reports"] * len(rows),
        "key": [key for key, _, _ in rows],
        "is_latest": [latest for _, latest, _ in rows],
        "is_delete_marker": [deleted for _, _, deleted in rows],
        "size": [7] * len(rows),
        "last_modified_date": arrow.array([at] * len(rows), arrow.timestamp("ms", tz="UTC")),
        "e_tag": [f"{number:x}" * 400 for number in range(len(rows))],
        "storage_class": ["STANDARD"] * len(rows),
    } | more
    written = io.BytesIO()
    parquet.write_table(arrow.table(columns), written, row_group_size=4)
    s3, body = FakeS3([]), written.getvalue()
    s3.store("inv/data/0.parquet", body, {}, etag(body))
    manifest: dict[str, Any] = {"sourceBucket": "reports", "destinationBucket": "arn:aws:s3:::reports"}
    manifest |= {"fileFormat": "Parquet", "fileSchema": "message s3.inventory { required binary bucket (UTF8); }"}
    file = {"key": "inv/data/0.parquet", "MD5checksum": hashlib.md5(body).hexdigest()}  # noqa: S324
    body = json.dumps(manifest | {"files": [file]} | dict(changes or {})).encode()
    s3.store("inv/manifest.json", body, {}, etag(body))
    return s3


def test_inventory__a_report_in_parquet_gives_its_keys_wherever_it_is_cut() -> None:
    """Its keys are not encoded. A file that is not the report's, or is damaged, is refused."""
    rows = [(f"{number:02d} a%2B+é.pdf", number % 5 != 1, number == 7) for number in range(11)]
    job = job_of(**INVENTORY, fields="size,last_modified,storage_class", page_size=3)
    found = run(in_parquet(rows), job, [1])
    assert [line["key"] for line in found] == [key for key, latest, deleted in rows if latest and not deleted]
    assert {tuple(line.values())[1:4] for line in found} == {(7, DATE, "STANDARD")}
    with pytest.raises(SourceRefusedError, match="the MD5 checksum differs"):
        run(in_parquet(rows, {"files": [{"key": "inv/data/0.parquet", "MD5checksum": "0" * 32}]}), job)
    damaged = in_parquet(rows, {"files": [{"key": "inv/data/0.parquet"}]})
    body = damaged.objects["inv/data/0.parquet"]
    for broken in (body[:-1], body[:40] + bytes(len(body) // 2) + body[40 + len(body) // 2 :], b"PAR1"):
        damaged.store("inv/data/0.parquet", broken, {}, etag(broken))
        with pytest.raises(SourceRefusedError, match="Parquet"):
            run(damaged, job)


def test_inventory__an_object_from_before_versioning_has_the_version_null() -> None:
    """A report of all versions leaves its version empty, and the whole job was refused for that."""
    job = job_of(**INVENTORY, version_ids=True)
    in_csv = report([row("a.pdf"), row("b.pdf", version=""), row("c.pdf", version="", latest="false")])
    keys = [(key, True, False) for key in ("a.pdf", "b.pdf", "c.pdf")]
    assert versions_of(run(in_csv, job)) == [("a.pdf", "v1"), ("b.pdf", "null")]
    versions = versions_of(run(in_parquet(keys, version_id=["v1", "", None]), job))
    assert versions == [("a.pdf", "v1"), ("b.pdf", "null"), ("c.pdf", "null")]
    with pytest.raises(SourceRefusedError, match=r"has no version of 'a\.pdf'"):  # of current versions alone
        run(in_parquet(keys), job)


def test_inventory__parquet_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a file of the report is read."""
    monkeypatch.setattr("processor.listing.keys.inventory.find_spec", lambda _: None)
    with pytest.raises(SourceRefusedError, match=r"presign-siblings\[parquet\]"):
        run(report(ROWS, fileFormat="Parquet"), job_of(**INVENTORY))


def test_inventory__a_manifest_that_differs_from_its_checksum_is_refused() -> None:
    """The checksum is an object next to it."""
    s3 = report(ROWS)
    s3.store("inv/manifest.checksum", b"0" * 32, {}, etag(b""))
    with pytest.raises(SourceRefusedError, match="does not have the checksum"):
        run(s3, job_of(**INVENTORY))


def test_inventory__the_checksum_covers_all_bytes() -> None:
    """The line end after the last line, too: such a report was refused as damaged."""
    s3 = report(ROWS)
    body = s3.objects["inv/manifest.json"] + b"\n"
    s3.store("inv/manifest.json", body, {}, etag(body))
    s3.store("inv/manifest.checksum", hashlib.md5(body).hexdigest().encode(), {}, etag(b""))  # noqa: S324
    assert run(s3, job_of(**INVENTORY))


def test_inventory__a_truncated_checksum_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like a missing one; it ended the job with aiohttp's own error."""
    s3 = report(ROWS)
    whole = s3.get_object

    async def broken() -> bytes:
        raise ClientPayloadError("broken off")

    async def get(**asked: Any) -> dict[str, Any]:
        return {"Body": SimpleNamespace(read=broken)} if asked["Key"].endswith(".checksum") else await whole(**asked)

    monkeypatch.setattr(s3, "get_object", get)
    assert run(s3, job_of(**INVENTORY))


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("keys.jsonl", b'{"url": "https://x/?Signature=secret"}\n', "has no key"),
        ("keys.jsonl", b'{"key": ""}\n', "has no key"),
        ("keys.jsonl", b'{"key": 7}\n', "has no key"),
        ("keys.jsonl", b'{"key": "a", "url": "https://x/?Signature=secret\n', "is not JSON"),
        ("keys.jsonl", b'{"key": ' + b"[" * 90_000 + b"]" * 90_000 + b"}\n", "is not JSON"),  # deeper than the stack
        ("inventory/manifest.json", b"[" * 90_000 + b"]" * 90_000, "is not the manifest of an inventory report"),
        ("keys.csv", b"key,size\n,7\n", "has no key"),
        ("keys.csv", b"bucket,key\nothers,a\n", "names another bucket"),
        ("keys.gz", gzip.compress(b"a\nb\n", mtime=0)[:-3], "is cut off"),
        ("keys.gz", b"\x1f\x8b" + b"x" * 30, "damaged gzip"),
        ("keys", b"x" * (3 << 20), "a line of more than"),
        ("keys", "a.pdf\r\nb.pdf\r\n".encode("utf-16"), "is UTF-16"),
        ("keys", "a.pdf\r\nb.pdf\r\n".encode("utf-16-le"), "contains a NUL byte"),
        ("keys", b"a.pdf\0b.pdf\0", "contains a NUL byte"),
        ("keys", b'[\n    {\n        "Key": "a.pdf"\n', "is one JSON array"),
        ("keys", b'{\n    "Contents": [\n', "is one JSON document"),
        ("keys", b'{\r\n    "Contents": [\r\n', "is one JSON document"),
        ("keys.json", b'[{"Key": "a.pdf"}]', "is one JSON array"),
        ("keys", b'["a.pdf", "b.pdf"]', "is one JSON array"),
        ("keys", b"2026-04-01 06:30:15       1234 in/a.pdf\n", "as ls prints it"),
        ("keys", b"2026-04-01 06:30:15    1.2 KiB in/a.pdf\n", "as ls prints it"),
        ("keys", b"                           PRE in/\n", "as ls prints it"),
        ("keys", b"2026/04/01 06:30:15              1234  in/a.pdf\n", "as ls prints it"),
        ("keys", b"[2026-04-01 06:30:15 UTC] 1.2KiB STANDARD in/a.pdf\n", "as ls prints it"),
        ("keys", b"     1234 2026-04-01 06:30:15.000000000 in/a.pdf\n", "as ls prints it"),
        ("keys", b"2026-04-01 06:30      1234   s3://reports/in/a.pdf\n", "as ls prints it"),
        ("keys", b"     1234 in/a.pdf\n", "as ls prints it"),
        ("keys", b"in/a.pdf\tin/b.pdf\tin/c.pdf\n", "contains tabs"),
        ("keys.csv", b"reports,in/a b.pdf\n", "is not URL-encoded"),
        ("keys", b"s3://reports/\n", "has no key"),
        ("keys.csv", b"key\n" + b"x" * 200_000, "is not CSV"),
        (
            "keys.csv",
            b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
            "is XML or HTML",
        ),
        ("keys", b"<!DOCTYPE html>\n<p>Sign in\n", "is XML or HTML"),
        ("keys", b"https://reports.s3.amazonaws.com/a.pdf?X-Amz-Signature=secret\n", "is a URL: write only the key"),
        ("keys.csv", b'key,size\n"a"b.pdf,7\n', "is not CSV: lines end with LF, and quotes in a cell are doubled"),
        ("keys.csv", b'key,size\n"a\\"c\\".pdf",7\n', "is not CSV"),  # as Spark writes it
        ("keys.csv", b"key,size\ra.pdf,7\rb.pdf,7\r", "is not CSV: lines end with LF"),
        ("keys.csv", b"path,size\na.pdf,7\n", "has a header without a column key"),
        ("keys.csv", b"key,size\ngs://reports/a.pdf,7\n", "is a URL"),
        ("keys", b'{"Bucket": "others", "Key": "a.pdf"}\n', "names another bucket"),
        ("keys", b'{"status":"success","type":"file","size":7,"key":"a.pdf"}\n', "is of mc ls"),
        ("keys", b'{"status":"success","type":"folder","size":0,"key":"in/"}\n', "is of mc ls"),
        ("keys", b'{"key":"s3://reports/in/","type":"directory"}\n', "is a folder"),
        ("hive/dt=1/symlink.txt", b"s3://reports/inv/data/0.csv.gz\n", "name the report's manifest.json"),
        ("keys.csv", b"key,record_type\na.pdf,CREATE\na.pdf,DELETE\n", "records a deletion"),
        ("keys", b"  key  \n-------\n a.pdf\n(1 row)\n", "is part of a table"),  # psql
        ("keys", b" key   | size\n-------+------\n a.pdf |    7\n", "is part of a table"),
        ("keys", b"+-------+\n| key   |\n+-------+\n| a.pdf |\n+-------+\n", "is part of a table"),  # mysql
        ("keys", b"\xef\xbb\xbf\r\nKey  \r\n---  \r\na.pdf\r\n", "is part of a table"),  # PowerShell
        ("keys.md", b"| key |\n|:---|\n| a.pdf |\n", "is part of a table"),
        ("keys", "┌─────┐\n│ key │\n├─────┤\n".encode(), "is part of a table"),  # DuckDB
        ("keys.csv", b"sep=;\r\nkey;size\r\na.pdf;7\r\n", "begins with the line sep="),
        ("keys.csv", b'"sep=,"\nkey,size\na.pdf,7\n', "begins with the line sep="),
        ("keys.csv", b'#TYPE Amazon.S3.Model.S3Object\r\n"ETag","BucketName","Key"\r\n', "add -NoTypeInformation"),
        ("keys.csv", b'"ETag","BucketName","Key"\n"e","others","a.pdf"\n', "names another bucket"),  # PowerShell
        ("keys", b"None\n", "where there is no key"),
        ("keys", b"Key\r\na.pdf\r\n", "begins with a header"),
        ("keys", b'"key"\n"a.pdf"\n', "begins with a header"),  # psql --csv
        ("keys.csv", b"path,title\na.pdf,A\n", "has a header without a column key"),
        ("keys", b"# of the audit\na.pdf\n", "begins with a comment"),
        ("keys", b"#\n# of the audit\n#\na.pdf\n", "begins with a comment"),
        ("keys", b"None\r\n", "where there is no key"),
        ("keys.csv", b"reports,a.pdf\nothers,b.pdf\n", "names another bucket"),
    ],
)
def test_an_unreadable_source_ends_the_job(name: str, body: bytes, why: str) -> None:
    """No message shows content, which may be a credential."""
    with pytest.raises(SourceRefusedError, match=why) as raised:
        run(holding(name, body), job_of(keys_from=f"s3://reports/{name}"))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "key",
    [
        "2026-04-01 06:30:15 scan.pdf",
        "2026-04-01 06:30 1.pdf",
        "2026-04-01 06:30:15.pdf",
        "1234 2026-04-01.pdf",
        "12345 letter.pdf",
        "PRE 1",
        "key,1.pdf",
        '"A" and "B"',
        "--",
        "---.pdf",
        "sep=a.pdf",
        "#TYPE 7 letters.pdf",
        "None.pdf",
        "#1.pdf",
        "key.pdf",
        "path/a.pdf",
        "keys/1",
        "/a.pdf",
    ],
)
def test_a_key_may_begin_with_a_date(key: str) -> None:
    """Scanners name their files like this."""
    (line,) = run(holding("keys", key.encode()), job_of(keys_from="s3://reports/keys"))
    assert line["key"] == key


def test_a_key_may_be_called_as_a_header_or_a_comment_is() -> None:
    """The refusal of such a first line says how a list has it."""
    keys = ["# of the audit", "key", "path"]
    body = "".join(json.dumps({"key": key}) + "\n" for key in keys)
    assert [line["key"] for line in run(holding("keys", body.encode()), job_of(keys_from="s3://reports/keys"))] == keys


def test_keys_of_a_list_that_look_like_something_else_are_counted() -> None:
    """A path of a website, a comment, blanks, quotes and escapes are signed as they are: such links may be dead."""
    odd = ["/in/a.pdf", "#b.pdf", " c.pdf", "d.pdf ", "'e.pdf'", "f%2fg.pdf", "h\u00a0", "\ufeffi.pdf"]
    s3 = holding("keys", "\n".join(["a.pdf", *odd, "100%.pdf", "b #1.pdf"]).encode())
    outcome, hops = asyncio.run(
        Hops(s3).chain(job_of(keys_from="s3://reports/keys", page_size=2), itertools.cycle([1]))
    )
    assert hops > 1
    assert outcome.checkpoint.counts.hindered == {"unlikely_keys": len(odd)}
    assert describe({"unlikely_keys": 1})["unlikely_keys"].startswith("1 key of the list has # or / at the beginning, ")


def test_keys_of_a_report_are_those_of_objects() -> None:
    """They may begin with a slash, and each link works."""
    outcome, _ = asyncio.run(
        Hops(report([row("/a.pdf"), row("#b.pdf")])).chain(job_of(**INVENTORY), itertools.cycle([2]))
    )
    assert outcome.checkpoint.counts.hindered == {}


def test_a_list_of_a_byte_order_mark_alone_is_empty() -> None:
    """The URL of an empty key would list the bucket."""
    assert run(holding("keys", b"\xef\xbb\xbf"), job_of(keys_from="s3://reports/keys")) == []


def test_inventory__a_key_that_is_not_unicode_gets_no_link_to_another_object() -> None:
    """S3 writes its bytes URL-encoded; with a replacement letter for them, the link would name another key."""
    heard = Heard()
    lines = run(report([row("a%E9.pdf"), row("b.pdf")]), job_of(**INVENTORY), heard=heard)
    assert [line["key"] for line in lines] == ["b.pdf"]
    assert heard.errors == [(r"a\udce9.pdf", "not UTF-8")]


@pytest.mark.parametrize("size", ["n/a", "-1", "7.5", "\u0667"])
def test_a_size_that_is_not_a_number_is_unknown(size: str) -> None:
    """A job that needs sizes names the key; the line of any other job has none."""
    s3 = holding("keys.csv", comma_separated(["key", "size"], ["a.pdf", size]))
    (line,) = run(s3, job_of(keys_from="s3://reports/keys.csv", fields="size"))
    assert line["size"] is None
    with pytest.raises(SourceRefusedError, match=r"does not give the size of 'a\.pdf': min_size"):
        run(s3, job_of(keys_from="s3://reports/keys.csv", min_size=1))


def test_a_key_that_is_called_key_is_no_header() -> None:
    """Only a line that repeats the whole header is."""
    s3 = holding("keys.csv", comma_separated(["key", "size"], ["key", 7], ["name", 7], ["key", "size"], ["z", 7]))
    assert [line["key"] for line in run(s3, job_of(keys_from="s3://reports/keys.csv"))] == ["key", "name", "z"]
    alone = holding("keys.csv", comma_separated(["key"], ["a"], ["key"]))
    assert [line["key"] for line in run(alone, job_of(keys_from="s3://reports/keys.csv"))] == ["a", "key"]


def test_the_json_of_s3_gives_all_its_facts() -> None:
    """As ``aws s3api list-objects-v2`` and the SDKs write them; checksum_type was null."""
    entry = {"Key": "a.pdf", "LastModified": DATE, "ETag": '"9b2c"', "ChecksumType": "FULL_OBJECT", "Size": 7}
    s3 = holding("keys", json.dumps(entry | {"StorageClass": "STANDARD"}).encode())
    fields = {"size": 7, "etag": '"9b2c"', "last_modified": DATE, "storage_class": "STANDARD"}
    fields["checksum_type"] = "FULL_OBJECT"
    (line,) = run(s3, job_of(keys_from="s3://reports/keys", fields=",".join(fields)))
    assert line.items() >= fields.items()


def test_the_columns_of_s3_metadata_give_all_their_facts() -> None:
    """As Athena writes rows of a live inventory table as CSV."""
    facts = {"version_id": "v", "size": 7, "last_modified_date": "2026-03-01", "e_tag": "e", "storage_class": "GLACIER"}
    body = comma_separated(["bucket", "key", *facts], ["reports", "a", *facts.values()])
    fields = ["size", "etag", "last_modified", "storage_class"]
    (line,) = run(
        holding("t.csv", body),
        job_of(keys_from="s3://reports/t.csv", fields=fields, version_ids=True, archived="include"),
    )
    assert [line[name] for name in fields] == [7, "e", "2026-03-01", "GLACIER"]
    assert "versionId=v" in line["url"]


@pytest.mark.parametrize(("escape", "shown"), [(r"\ud800", r"b\ud800.pdf"), (r"\udce9", r"b\udce9.pdf")])
def test_half_of_a_surrogate_pair_affects_only_its_own_key(escape: str, shown: str) -> None:
    """JSON may have one; the key of such a line ended the job, and each retry."""
    heard = Heard()
    body = f'{{"key": "a.pdf"}}\n{{"key": "b{escape}.pdf"}}\n{{"key": "c.pdf"}}\n'.encode()
    lines = run(holding("keys.jsonl", body), job_of(keys_from="s3://reports/keys.jsonl"), heard=heard)
    assert [line["key"] for line in lines] == ["a.pdf", "c.pdf"]
    assert heard.errors == [(shown, "not UTF-8")]


@pytest.mark.parametrize(("name", "head"), [("keys", b""), ("keys.csv", b"key,size\n")])
def test_a_key_in_another_encoding_affects_only_itself(name: str, head: bytes) -> None:
    """As a program writes that knows no UTF-8."""
    heard = Heard()
    s3 = holding(name, head + b"a.pdf\nb\xe9.pdf\nc.pdf\n")
    lines = run(s3, job_of(keys_from=f"s3://reports/{name}"), heard=heard)
    assert [line["key"] for line in lines] == ["a.pdf", "c.pdf"]
    assert heard.errors == [(r"b\udce9.pdf", "not UTF-8")]


def test_a_malformed_url_names_no_version() -> None:
    """Its line is refused for the missing version. Python's own error ended the job, and each retry."""
    s3 = holding(
        "old.jsonl", b'{"key": "a.pdf", "url": "https://[x/a.pdf?versionId=v1"}\n{"key": "b.pdf", "url": "http://["}\n'
    )
    with pytest.raises(SourceRefusedError, match=r"has no version of 'b\.pdf'"):
        run(s3, job_of(refresh="s3://reports/old.jsonl", version_ids=True))


def test_a_source_that_changes_between_two_hops_ends_the_job() -> None:
    """A place in it now means another key."""
    s3, job = holding("keys", b"a\nb\nc\n"), job_of(keys_from="s3://reports/keys", page_size=1)

    async def change(word: str, detail: Any) -> None:
        if word == "put" and "/.checkpoints/" in str(detail):
            s3.store("keys", b"x\ny\nz\n", {}, '"other"')

    s3.before = change
    with pytest.raises(SourceRefusedError, match="has changed"):
        run(s3, job, [1])


def classed(*classes: str) -> FakeS3:
    """Return a bucket with a list of keys of some storage classes."""
    rows = [(f"{number}.pdf", of) for number, of in enumerate(classes)]
    return holding("keys.csv", comma_separated(["key", "storage_class"], *rows))


@pytest.mark.parametrize(("archived", "left"), [("include", ["0.pdf", "1.pdf"]), ("skip", ["0.pdf"])])
def test_archived_objects_are_recognised_by_the_storage_class_in_the_list(archived: str, left: list[str]) -> None:
    """Only a list's own column, as in an inventory report, has it without a listing."""
    job = job_of(keys_from="s3://reports/keys.csv", archived=archived)
    assert [line["key"] for line in run(classed("STANDARD", "DEEP_ARCHIVE"), job)] == left
    of_s3 = b'{"Key":"0.pdf","StorageClass":"STANDARD"}\n{"Key":"1.pdf","StorageClass":"DEEP_ARCHIVE"}\n'
    job = job_of(keys_from="s3://reports/keys", archived=archived)
    assert [line["key"] for line in run(holding("keys", of_s3), job)] == left


TIERS = ("FREQUENT", "ARCHIVE_INSTANT_ACCESS", "", "ARCHIVE", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_inventory__an_object_that_intelligent_tiering_has_archived_counts_as_archived(form: str) -> None:
    """Its link answers 403 like one of GLACIER, and only a report names it; each was signed without a word."""
    keys = [f"{number}.pdf" for number in range(len(TIERS))]
    if form == "csv":
        cells = [[*row(key)[:-1], "INTELLIGENT_TIERING", tier] for key, tier in zip(keys, TIERS, strict=True)]
        s3 = report(cells, fileSchema=f"{SCHEMA}, IntelligentTieringAccessTier")
    else:
        classes = ["INTELLIGENT_TIERING"] * len(TIERS)
        rows = [(key, True, False) for key in keys]
        s3 = in_parquet(rows, storage_class=classes, intelligent_tiering_access_tier=TIERS)
    job = job_of(**INVENTORY, archived="skip", fields="storage_class", version_ids=form == "csv")
    assert [line["key"] for line in run(s3, job)] == keys[:3]


def test_a_key_left_out_needs_no_storage_class() -> None:
    """A list of folders and files has none for a folder; the job was refused."""
    rows = [("a.pdf", "STANDARD"), ("b/", ""), ("c/d.pdf", ""), ("e.pdf", "GLACIER")]
    s3 = holding("keys.csv", comma_separated(["key", "storage_class"], *rows))
    job = job_of(keys_from="s3://reports/keys.csv", archived="skip", suffix=".pdf", exclude=["c/*"])
    assert [line["key"] for line in run(s3, job)] == ["a.pdf"]


def test_a_job_that_depends_on_storage_classes_is_refused_for_a_list_without_them() -> None:
    """Links of archived objects would be in the manifest, although the job excludes them."""
    with pytest.raises(ArchivedError, match="archived: fail"):
        run(classed("STANDARD", "GLACIER"), job_of(keys_from="s3://reports/keys.csv", archived="fail"))
    s3, sentence = holding("keys.txt", b"a.pdf\n"), "^s3://reports/keys.txt does not give the"
    with pytest.raises(SourceRefusedError, match=f"{sentence} storage_class of 'a.pdf': archived: skip"):
        run(s3, job_of(keys_from="s3://reports/keys.txt", archived="skip"))
    with pytest.raises(SourceRefusedError, match=f"{sentence} size of 'a.pdf': min_size"):
        run(s3, job_of(keys_from="s3://reports/keys.txt", min_size=1))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"key": "a.pdf"}\n', "^s3://reports/keys does not give the last_modified of 'a.pdf': modified_since"),
        (b'{"key": "a.pdf", "last_modified": "yesterday"}\n', "'yesterday', which is not an ISO 8601 time"),
    ],
)
def test_modified_since_last_refuses_a_list_without_dates_in_its_first_run_too(body: bytes, reason: str) -> None:
    """That run took all keys, and each later one failed. Nothing is written."""
    job = replace(job_of(keys_from="s3://reports/keys"), modified_since=LAST)
    s3 = holding("keys", body)
    with pytest.raises(SourceRefusedError, match=reason):
        run(s3, job)
    assert list(s3.objects) == ["keys"]
    dated = holding("keys", b'{"key": "a.pdf", "last_modified": "2020-01-01T00:00:00Z"}\n')
    assert [line["key"] for line in run(dated, job)] == ["a.pdf"]


def test_an_s3_url_in_a_list_is_a_key_of_the_jobs_own_bucket() -> None:
    """As other tools write them; a link to a key ``s3://reports/a.pdf`` would be dead."""
    job = job_of(keys_from="s3://reports/keys.txt")
    lines = run(holding("keys.txt", b"s3://reports/a.pdf\nb.pdf\n"), job)
    assert [line["key"] for line in lines] == ["a.pdf", "b.pdf"]
    with pytest.raises(SourceRefusedError, match="names another bucket"):
        run(holding("keys.txt", b"s3://others/a.pdf\n"), job)


@pytest.mark.parametrize(("stated", "ranges"), [(None, True), ('W/"e"', True), ('"e"', False)])
def test_a_list_is_read_from_stores_with_deviations(stated: str | None, *, ranges: bool) -> None:
    """One without an ETag, one behind a proxy that weakens it, and one that ignores ranges."""
    body = b"a.pdf\nb.pdf\n"
    source = object_lines.ObjectLines(Store(body, stated, ranges=ranges), "reports", "keys.txt")

    async def found() -> list[bytes]:
        await source.open()
        return [line async for lines, _ in source.lines(6, 10) for line in lines]

    assert asyncio.run(found()) == [b"b.pdf"]


class Store:
    """A store with one object."""

    def __init__(self, body: bytes, etag: str | None, *, ranges: bool) -> None:
        self._body, self._etag, self._ranges = body, etag, ranges

    async def head_object(self, **_: Any) -> dict[str, Any]:
        """Return its size and its ETag."""
        return {"ContentLength": len(self._body)} | ({} if self._etag is None else {"ETag": self._etag})

    async def get_object(self, Range: str, IfMatch: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
        """Return bytes; a weak ETag never matches."""
        assert IfMatch in {None, '"e"'}
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": _Body(self._body[first : last + 1] if self._ranges else self._body)}


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


def test_a_missing_source_is_named() -> None:
    """As the operator wrote it."""
    with pytest.raises(SourceRefusedError, match="s3://reports/keys does not exist"):
        run(FakeS3([]), job_of(keys_from="s3://reports/keys"))


def deployed(**environment: str) -> DeploymentSettings:
    """Return a deployment with allow-lists."""
    return DeploymentSettings.from_environment({"ALLOWED_BUCKETS": "reports", **environment}, {})


def asked(deployment: DeploymentSettings, **event: Any) -> Job:
    """Return the job of an event at a deployment."""
    return Job.from_event({"bucket": "reports", **event}, config={}, environment={}, deployment=deployment, now=NOW)


def test_a_key_outside_the_allow_lists_ends_the_job() -> None:
    """A caller who may name a list must not sign keys that the deployment excludes."""
    deployment = deployed(ALLOWED_PREFIXES="in/")
    job = asked(deployment, keys_from="s3://reports/keys")
    with pytest.raises(SourceRefusedError, match="'out/b', which is under none of ALLOWED_PREFIXES"):
        run(holding("keys", b"in/a\nout/b\n"), job, deployment=deployment)
    assert [line["key"] for line in run(holding("keys", b"in/a\n"), job, deployment=deployment)] == ["in/a"]


def test_keys_of_manifests_are_never_signed() -> None:
    """They hold live URLs."""
    found = run(holding("keys", b"a\nmanifests/old.jsonl\n"), job_of(keys_from="s3://reports/keys"))
    assert [line["key"] for line in found] == ["a"]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("pages", [[1], [2, 3], [500]])
def test_prefixes__are_one_listing(concurrency: int, pages: list[int]) -> None:
    """In key order, each key once, also where one prefix is under another, or is empty."""
    keys = [f"{folder}/{number:02d}.pdf" for folder in ("a", "ab", "b", "c/d", "c/e", "f") for number in range(9)]
    s3 = FakeS3(sorted(keys))
    job = job_of(prefixes=["c/", "a", "ab/", "c/d/", "nothing/", "f/"], page_size=4, concurrency=concurrency)
    assert job.prefixes == ("a", "c/", "f/", "nothing/")
    assert [line["key"] for line in run(s3, job, pages)] == [key for key in sorted(keys) if not key.startswith("b")]


def test_prefixes__globs_match_the_rest_of_the_key_after_each_prefix() -> None:
    """Dates in a prefix are resolved."""
    s3 = FakeS3(["a/2026/x.pdf", "a/2026/y.pdf", "b/x.pdf", "b/z.pdf"])
    job = job_of(prefixes=["a/{yyyy}/", "b/"], include="x*")
    assert [line["key"] for line in run(s3, job)] == ["a/2026/x.pdf", "b/x.pdf"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"prefixes": ["in/", "out/"]}, "prefixes"),
        ({"prefixes": []}, "prefixes"),
        ({"prefixes": ["in/"], "prefix": "in/"}, "prefixes"),
        ({"prefixes": ["in/manifests/x"]}, "prefixes"),
        ({"keys_from": "keys"}, "keys_from"),
        ({"keys_from": "s3://reports/"}, "keys_from"),
        ({"keys_from": "s3://others/keys"}, "keys_from"),
        ({"refresh": "s3://others/keys"}, "refresh"),
        ({"keys_from": "s3://reports/a", "refresh": "s3://reports/b"}, "refresh"),
        ({"keys_from": "s3://reports/a", "start_after": "b"}, "start_after"),
        ({"refresh": "s3://reports/a", "cursor": "b"}, "cursor"),
    ],
)
def test_a_source_that_breaks_a_rule_is_refused_by_name(event: dict[str, Any], field: str) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidEventError, match=f"^'{field}'"):
        asked(deployed(ALLOWED_PREFIXES="in/", MANIFEST_PREFIX="in/manifests/"), **event)


def test_a_source_in_the_event_replaces_those_of_the_environment() -> None:
    """The stack's prefix and ending do not apply to a list of keys."""
    around = {"PREFIX": "in/", "SUFFIX": ".doc", "PREFIXES": "x/,y/"}

    def of(**event: Any) -> Job:
        event |= {"bucket": "reports"}
        return Job.from_event(event, config={}, environment=around, deployment=deployed(), now=NOW)

    assert (of().prefixes, of().prefix, of().suffix) == (("x/", "y/"), "", ".doc")
    assert (of(prefix="a/").prefixes, of(prefix="a/").prefix) == (None, "a/")
    job = of(keys_from="s3://reports/keys")
    assert (job.prefixes, job.prefix, job.suffix) == (None, "", "")
    assert of(keys_from="s3://reports/keys", suffix=".txt").suffix == ".txt"
    assert Job.from_payload(job.to_payload(), deployed()) == job


def test_refresh__ignores_the_deployments_choices_of_a_listing() -> None:
    """With Archived=skip and RefreshHours each refresh failed: a manifest's lines have no storage class."""
    around = {"ARCHIVED": "skip", "INCLUDE": "*.doc", "MIN_SIZE": "9"}
    event = {"bucket": "reports", "refresh": "s3://reports/old/latest.jsonl"}
    job = Job.from_event(event, config={}, environment=around, deployment=deployed(), now=NOW)
    s3 = holding("old/latest.jsonl", b'{"key": "a.pdf", "url": "https://x/"}\n')
    assert [line["key"] for line in run(s3, job)] == ["a.pdf"]
    asked_for = Job.from_event(event | {"archived": "skip"}, config={}, environment={}, deployment=deployed(), now=NOW)
    with pytest.raises(SourceRefusedError, match="does not give the storage_class of 'a.pdf': archived: skip"):
        run(s3, asked_for)
