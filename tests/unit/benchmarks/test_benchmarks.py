"""The benchmarks compare like with like: one stub, and peers with the same work."""

from __future__ import annotations

import io
import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.config import Config
from botocore.httpchecksum import AwsChunkedWrapper

from benchmarks import launch
from benchmarks.bench import QUICK, Bench
from benchmarks.dataset import BUCKET, PAGE, count_of, key_at, prefix_of, wanted, wanted_count
from benchmarks.peers.s5cmd_batch import binary
from benchmarks.results import Sample, pairs, ratio_goal
from benchmarks.stages import STAGES
from benchmarks.verify import KEEP_ALL, WrongWorkError, check_content, check_count
from benchmarks.wire import unchunked
from benchmarks.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.no_cover  # complete jobs of a benchmark

COUNT = 1_100


@pytest.fixture
def s3(server: launch.Server) -> Any:
    """Return a client of a stub that has just been emptied, and stores its objects."""
    server.reset(keep=KEEP_ALL)
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="stub",
        aws_secret_access_key="stub",
        config=Config(retries={"total_max_attempts": 1}),
    )


PEERS = [
    ("seed", "none"),
    ("boto3_loop", "none"),
    ("minio_loop", "none"),
    ("obstore_batches", "none"),
    ("obstore_batches", "gzip"),
    ("ours", "none"),
    ("ours", "gzip"),
    pytest.param("s5cmd_batch", "none", marks=pytest.mark.skipif(binary() is None, reason="s5cmd is not installed")),
]


@pytest.mark.parametrize(("peer", "compression"), PEERS)
def test_peer__does_the_same_work(server: launch.Server, peer: str, compression: str) -> None:
    """Every peer writes one manifest with the same keys, signed as botocore signs them."""
    bench = Bench(server, QUICK)
    work = bench.work(COUNT, compression)
    server.reset(keep=KEEP_ALL)
    report = launch.run_child(f"benchmarks.peers.{peer}", work, bench.environment() if peer == "ours" else None)
    assert report["signed"] == wanted_count(COUNT)
    check_count(server, work)
    check_content(server, work, in_order=peer != "s5cmd_batch", every=50)


@pytest.mark.parametrize("signer", ["botocore_presign", "minio_presign", "obstore_sign", "ours", "floor"])
def test_signer__signs_whole_rounds(server: launch.Server, signer: str) -> None:
    """The time of a signer covers complete rounds of the same keys."""
    work = Bench(server, QUICK).work(PAGE)
    report = launch.run_child(f"benchmarks.signers.{signer}", work)
    assert report["signed"] % wanted_count(PAGE) == 0
    assert report["seconds"] > 0


def test_check__refuses_other_work(server: launch.Server, s3: Any) -> None:
    """A run without some keys, or with wrong signatures, is no measurement."""
    work = Bench(server, QUICK).work(PAGE)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "other"})
    s3.put_object(Bucket=BUCKET, Key="manifests/x", Body=f'{{"key": "other", "url": "{url}"}}\n'.encode())
    with pytest.raises(WrongWorkError, match="signed 1 keys of 980"):
        check_count(server, work)
    with pytest.raises(WrongWorkError, match="not those of the listing"):
        check_content(server, work)


@pytest.mark.parametrize("page_size", [1000, 7])
@pytest.mark.parametrize("encoding", ["url", ""])
def test_stub__lists_every_key_once(s3: Any, page_size: int, encoding: str) -> None:
    """The pages have every key in UTF-8 order, whatever their size, encoded or not."""
    if not encoding:
        s3.meta.events.register_last("before-call.s3.ListObjectsV2", _without_encoding)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix_of(1_500), PaginationConfig={"PageSize": page_size}
    )
    found = [entry["Key"] for page in pages for entry in page["Contents"]]
    assert found == [key_at(prefix_of(1_500), index) for index in range(1_500)]
    assert found == sorted(found)
    assert sum(key.lower().endswith(".pdf") for key in found) == len(wanted(prefix_of(1_500))) == wanted_count(1_500)


def _without_encoding(params: dict[str, Any], **_: object) -> None:
    params["url"] = params["url"].replace("encoding-type=url", "")


def test_stub__start_after_excludes_its_key(s3: Any) -> None:
    """A listing after a key begins with the next one; a listing after the last key is empty."""
    prefix = prefix_of(1_500)
    page = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix, StartAfter=key_at(prefix, 1_203), MaxKeys=2)
    assert [entry["Key"] for entry in page["Contents"]] == [key_at(prefix, 1_204), key_at(prefix, 1_205)]
    assert page["KeyCount"] == 2
    assert page["IsTruncated"]
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="other/")["KeyCount"] == 0
    assert count_of("other/") == 0


def test_stub__page_has_s3s_fields(server: launch.Server) -> None:
    """Every entry has S3's fields, so parsers have the same work."""
    url = f"{server.endpoint}/{BUCKET}?list-type=2&encoding-type=url&prefix={prefix_of(1_000)}"
    with urllib.request.urlopen(url) as answer:
        root = ET.fromstring(answer.read())  # noqa: S314 our own stub
    entries = root.findall("{*}Contents")
    assert len(entries) == PAGE
    assert {tuple(tag.tag.split("}")[1] for tag in entry) for entry in entries} == {
        ("Key", "LastModified", "ETag", "Size", "StorageClass")
    }


def test_stub__multipart_checks_its_parts(s3: Any) -> None:
    """An upload appears complete, in the order of its parts, and never with an unknown ETag."""
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "a", "UploadId": upload}
    etags = {number: s3.upload_part(**place, PartNumber=number, Body=b"%d\n" % number)["ETag"] for number in (2, 1)}
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]
    wrong = [parts[0], {"PartNumber": 2, "ETag": parts[0]["ETag"]}]
    with pytest.raises(s3.exceptions.ClientError, match="InvalidPart"):
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": wrong})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"1\n2\n"
    assert s3.head_object(Bucket=BUCKET, Key="a")["ContentLength"] == 4


def test_stub__obeys_if_none_match(s3: Any) -> None:
    """``If-None-Match: *`` prevents a replacement."""
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(s3.exceptions.ClientError, match="412"):
        s3.put_object(Bucket=BUCKET, Key="a", Body=b"2", IfNoneMatch="*")


def test_stub__reads_chunked_bodies(server: launch.Server, s3: Any) -> None:
    """An aws-chunked body inside HTTP's own chunks is read as the body within."""
    body = os.urandom(300_000)
    request = urllib.request.Request(
        f"{server.endpoint}/{BUCKET}/chunked",
        method="PUT",
        data=iter([AwsChunkedWrapper(io.BytesIO(body), chunk_size=65_536).read()]),
        headers={"Content-Encoding": "aws-chunked", "Transfer-Encoding": "chunked"},
    )
    urllib.request.urlopen(request).close()
    assert s3.get_object(Bucket=BUCKET, Key="chunked")["Body"].read() == body
    assert unchunked(b"3;chunk-signature=0\r\nabc\r\n0\r\nx-amz-checksum-crc32: AAAA\r\n\r\n") == b"abc"


def test_stub__virtual_host_style_is_the_same_bucket(server: launch.Server, s3: Any) -> None:
    """An object put in path style is found in virtual-host style."""
    s3.put_object(Bucket="reports", Key="a/b", Body=b"1")
    request = urllib.request.Request(f"{server.endpoint}/a/b", headers={"Host": "reports.localhost"})
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == b"1"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{server.endpoint}/other/a/b")


def test_stages__each_does_the_work_of_a_job(server: launch.Server) -> None:
    """Each stage has its costs, under its name in the table."""
    report = launch.run_child("benchmarks.stages", Work(server.endpoint, COUNT))
    assert {name for name in STAGES if report[name] >= 0} == set(STAGES)
    assert report["sign (quoting included)"] > report["quote"] > 0


def test_pairs__alternate_and_compare_pair_by_pair() -> None:
    """Ratios are formed within a pair, so a machine that slows down affects both."""
    order: list[str] = []

    def run(name: str, seconds: Iterator[float]) -> Sample:
        order.append(name)
        return Sample(keys=100, seconds=next(seconds), cpu_seconds=1, peak_bytes=1)

    ours, theirs = iter([1.0, 2.0, 4.0]), iter([10.0, 20.0, 80.0])
    own, others = pairs(lambda: run("ours", ours), {"other": lambda: run("other", theirs)}, 3)
    assert order == ["ours", "other"] * 3
    assert len(own) == 3
    assert others["other"][1] == pytest.approx([10, 10, 20])
    assert ratio_goal("x", others["other"][1], 10).verdict == "met"
    assert ratio_goal("x", others["other"][1], 11).verdict == "MISSED"
