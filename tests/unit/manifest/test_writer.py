"""The manifest appears complete or not at all, once, and never over another."""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
import re
import zlib
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from processor.errors import CheckpointLostError, ManifestTakenError, RetryableError, SourceRefusedError
from processor.job import Checkpoint, DeploymentSettings, Job, Upload
from processor.manifest import MAX_PARTS, MIN_PART, ManifestWriter
from processor.manifest.writer import IN_FLIGHT, MAX_PART, part_size
from tests.conftest import NOW
from tests.fakes import FakeS3, refuse

CHUNK = random.Random(4).randbytes(1 << 20)  # does not compress


def writer(s3: FakeS3, upload: Upload | None = None, **fields: Any) -> ManifestWriter:
    """Return a writer for job ``run``."""
    deployment = DeploymentSettings.from_environment({}, {})
    job = Job.from_event({"bucket": "reports", **fields}, config={}, environment={}, deployment=deployment, now=NOW)
    client: Any = s3
    return ManifestWriter(client, job, "run", upload or Upload())


async def write(manifest: ManifestWriter, mebibytes: int) -> None:
    """Write some MiB, one at a time."""
    for _ in range(mebibytes):
        await manifest.write(CHUNK)


def test_a_manifest_shorter_than_a_part_is_one_put() -> None:
    """With its type, the run's id, and the condition that nothing stands there."""
    s3 = FakeS3()

    async def run() -> None:
        manifest = writer(s3)
        await manifest.write(b"line\n")
        await manifest.commit()

    asyncio.run(run())
    assert s3.wire == [("put", "manifests/run.jsonl")]
    sent = s3.headers["manifests/run.jsonl"]
    assert (sent["ContentType"], sent["IfNoneMatch"]) == ("application/x-ndjson", "*")
    assert sent["Metadata"] == {"job-id": "run", "crc32": f"{zlib.crc32(b'line' + bytes([10])):08x}"}
    assert "ContentEncoding" not in sent


def test_a_single_put_says_what_it_is_in_its_metadata() -> None:
    """S3 compares the checksum with what arrives, so no byte is lost on the way."""
    s3 = FakeS3()

    async def run() -> None:
        manifest = writer(s3, compression="gzip")
        manifest.facts = {"count": "1", "expires-at": "2026-04-01T06:45:15Z"}
        await manifest.write(b"line\n")
        await manifest.commit()
        assert await manifest.describe() is None

    asyncio.run(run())
    (key,) = s3.objects
    crc32 = zlib.crc32(s3.objects[key])
    assert s3.metadata[key] == {
        "job-id": "run",
        "count": "1",
        "expires-at": "2026-04-01T06:45:15Z",
        "crc32": f"{crc32:08x}",
    }
    assert base64.b64decode(s3.headers[key]["ChecksumCRC32"]) == crc32.to_bytes(4, "big")
    assert not s3.tags


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_multipart_manifest_says_what_it_is_in_its_tags(compression: str) -> None:
    """Its metadata was fixed before anything was known; the checksum goes on from hop to hop."""
    s3 = FakeS3()

    async def run() -> None:
        upload = None
        for _ in range(3):
            manifest = writer(s3, upload, compression=compression)
            await write(manifest, 7)
            upload = await manifest.suspend()
        manifest = writer(s3, upload, compression=compression)
        manifest.facts = {"count": "21", "expires-at": "2026-04-01T06:45:15Z"}
        await manifest.commit()
        assert await manifest.describe() is None

    asyncio.run(run())
    (key,) = s3.objects
    assert s3.metadata[key] == {"job-id": "run"}
    assert s3.tags[key] == {
        "job-id": "run",
        "count": "21",
        "expires-at": "2026-04-01T06:45:15Z",
        "crc32": f"{zlib.crc32(s3.objects[key]):08x}",
    }


def test_a_manifest_that_a_dead_hop_committed_gets_its_tags_from_the_next() -> None:
    """But for the checksum, which nobody knows any more; one that has metadata needs none."""
    s3 = FakeS3()

    async def run(mebibytes: int) -> None:
        first = writer(s3)
        first.facts = {"count": "9"}
        await write(first, mebibytes)
        start = await first.suspend()
        lost = writer(s3, start)
        lost.facts = {"count": "9"}
        await lost.commit()
        taken_over = writer(s3, replace(start, checksum=None))
        taken_over.facts = {"count": "9"}
        assert await taken_over.is_committed()
        assert await taken_over.describe() is None

    asyncio.run(run(6))
    assert list(s3.tags.values()) == [{"job-id": "run", "count": "9"}]
    s3.objects.clear()
    s3.tags.clear()
    asyncio.run(run(1))
    assert not s3.tags


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refuse("AccessDenied", status=403), "AccessDenied"),
        (ConnectTimeoutError(endpoint_url="https://s3"), "ConnectTimeoutError"),
    ],
)
def test_tags_that_are_refused_leave_the_manifest_as_it_is(error: Exception, reason: str) -> None:
    """A role that may not tag is no reason to lose a manifest."""
    s3 = FakeS3()

    async def trouble(operation: str, _: object) -> None:
        if operation == "tag":
            raise error

    async def run() -> str | None:
        s3.before = trouble
        manifest = writer(s3)
        await write(manifest, 6)
        await manifest.commit()
        return await manifest.describe()

    assert asyncio.run(run()) == reason
    assert list(s3.objects.values()) == [CHUNK * 6]


def test_a_checkpoint_of_an_older_version_goes_on_without_a_checksum() -> None:
    """A wrong one would have S3 refuse the manifest."""
    s3 = FakeS3()

    async def run() -> None:
        first = writer(s3)
        await first.write(b"line\n")
        stored = Checkpoint(job_key="k", job_id="run", upload=await first.suspend()).to_bytes()
        older = Checkpoint.from_bytes(re.sub(rb', "checksum": [0-9]+', b"", stored))
        manifest = writer(s3, older.upload)
        await manifest.write(b"line\n")
        await manifest.commit()

    asyncio.run(run())
    assert s3.objects == {"manifests/run.jsonl": b"line\nline\n"}
    assert s3.metadata["manifests/run.jsonl"] == {"job-id": "run"}
    assert "ChecksumCRC32" not in s3.headers["manifests/run.jsonl"]


def test_an_empty_manifest_is_an_object_too() -> None:
    """An empty result is no error."""
    s3 = FakeS3()
    asyncio.run(writer(s3).commit())
    assert s3.objects == {"manifests/run.jsonl": b""}


def test_gzip__key_and_encoding_say_so() -> None:
    """A browser then opens it as text."""
    s3 = FakeS3()

    async def run() -> None:
        manifest = writer(s3, compression="gzip")
        await manifest.write(b"line\n" * 1000)
        await manifest.commit()

    asyncio.run(run())
    assert gzip.decompress(s3.objects["manifests/run.jsonl.gz"]) == b"line\n" * 1000
    assert s3.headers["manifests/run.jsonl.gz"]["ContentEncoding"] == "gzip"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_parts_upload_while_lines_are_written(compression: str) -> None:
    """Improvement 8: nothing waits for the end; the first part is on its way before the last line is written."""
    s3 = FakeS3()

    async def run() -> None:
        manifest = writer(s3, compression=compression)
        await write(manifest, 12)
        await asyncio.sleep(0)
        assert len(s3.sent("part")) == 2
        assert not s3.sent("complete")
        await manifest.commit()

    asyncio.run(run())
    (key,) = s3.objects
    stored = s3.objects[key]
    assert (gzip.decompress(stored) if compression == "gzip" else stored) == CHUNK * 12
    assert [kind for kind, _ in s3.wire][-1] == "complete"


def test_a_slow_upload_holds_the_writer_back() -> None:
    """At most ``concurrency`` parts are under way, so memory stays flat."""
    s3, most, gate = FakeS3(), 0, asyncio.Event()

    async def slow(operation: str, _: object) -> None:
        nonlocal most
        if operation == "part":
            most = max(most, len(s3.sent("part")) - len(s3.sent("part done")))
            await gate.wait()

    async def run() -> None:
        s3.before = slow
        manifest = writer(s3, concurrency=3)
        writing = asyncio.create_task(write(manifest, 40))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not writing.done()
        gate.set()
        await writing
        await manifest.commit()

    asyncio.run(run())
    assert most == 3
    assert s3.objects["manifests/run.jsonl"] == CHUNK * 40


def test_part_size__grows_from_5_to_64_mib() -> None:
    """Small for short jobs; 10,000 parts still hold more than 500 GiB, and parts under way fit in memory."""
    sizes = [part_size(number) for number in range(1, MAX_PARTS + 1)]
    assert sizes[0] == MIN_PART
    assert sizes == sorted(sizes)
    assert max(sizes) == MAX_PART
    assert sum(sizes) > 550 << 30
    assert IN_FLIGHT // MAX_PART == 2


def test_suspend__leaves_a_tail_of_less_than_a_part() -> None:
    """What can be a part becomes one; the rest travels in the checkpoint."""
    s3 = FakeS3()

    async def run(mebibytes: int) -> Upload:
        manifest = writer(s3)
        await write(manifest, mebibytes)
        return await manifest.suspend()

    short = asyncio.run(run(4))
    assert (short.upload_id, short.parts, len(short.tail)) == (None, (), 4 << 20)
    assert not s3.wire
    long = asyncio.run(run(14))
    assert (len(long.parts), len(long.tail), long.size) == (2, 4 << 20, 14 << 20)


def test_the_next_hop_goes_on_in_the_same_upload() -> None:
    """One multipart upload is carried through the chain, tail and part numbers included."""
    s3 = FakeS3()

    async def run() -> None:
        upload = Upload()
        for _ in range(4):
            manifest = writer(s3, upload)
            await write(manifest, 7)
            upload = await manifest.suspend()
        await writer(s3, upload).commit()

    asyncio.run(run())
    assert len(s3.sent("create")) == 1
    assert s3.objects["manifests/run.jsonl"] == CHUNK * 28


def test_commit__never_replaces_anothers_object() -> None:
    """Improvement over the seed, which overwrote whatever was there."""
    s3 = FakeS3(objects={"manifests/run.jsonl": b"theirs"}, metadata={"manifests/run.jsonl": {"job-id": "other"}})
    with pytest.raises(ManifestTakenError):
        asyncio.run(writer(s3).commit())
    assert s3.objects["manifests/run.jsonl"] == b"theirs"


@pytest.mark.parametrize("mebibytes", [0, 6])
def test_commit__recognises_its_own_earlier_try(mebibytes: int) -> None:
    """The SDK's retry of a commit whose answer was lost finds the manifest there: that is success."""
    s3 = FakeS3()

    async def run() -> None:
        for _ in range(2):
            manifest = writer(s3)
            await write(manifest, mebibytes)
            await manifest.commit()

    asyncio.run(run())
    assert s3.objects["manifests/run.jsonl"] == CHUNK * mebibytes


def test_commit__an_upload_that_is_gone_is_said_so() -> None:
    """A lifecycle rule or a person aborted it."""
    s3 = FakeS3()

    async def run() -> None:
        manifest = writer(s3)
        await write(manifest, 6)
        s3.uploads.clear()
        await manifest.commit()

    with pytest.raises(CheckpointLostError):
        asyncio.run(run())
    assert not s3.objects


def test_a_foreign_part_can_fail_the_commit_but_never_slip_in() -> None:
    """The commit names the ETags that this chain recorded."""
    s3 = FakeS3()

    async def run() -> None:
        manifest = writer(s3)
        await write(manifest, 6)
        upload = await manifest.suspend()
        s3.uploads["upload-1"][1] = b"foreign" * (1 << 20)
        await writer(s3, upload).commit()

    with pytest.raises(RetryableError, match="InvalidPart"):
        asyncio.run(run())
    assert not s3.objects


def test_a_part_that_fails_ends_the_hop() -> None:
    """Nothing is committed without all its parts."""
    s3 = FakeS3()

    async def fail(operation: str, _: object) -> None:
        if operation == "part":
            raise refuse("AccessDenied", status=403)

    async def run() -> None:
        s3.before = fail
        manifest = writer(s3)
        await write(manifest, 6)
        await manifest.commit()

    with pytest.raises(SourceRefusedError, match="AccessDenied"):
        asyncio.run(run())
    assert not s3.objects


def test_abort__stops_parts_under_way_and_forgets_the_upload_only_when_told() -> None:
    """A checkpoint may still go on with it."""
    s3 = FakeS3()

    async def never(operation: str, _: object) -> None:
        if operation == "part":
            await asyncio.Event().wait()

    async def run(*, forget: bool) -> None:
        s3.before = never
        manifest = writer(s3)
        await write(manifest, 6)
        await asyncio.sleep(0)
        await manifest.abort(forget=forget)

    asyncio.run(run(forget=False))
    assert not s3.aborted
    asyncio.run(run(forget=True))
    assert s3.aborted == ["upload-2"]


def test_more_parts_than_s3_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what helps."""
    monkeypatch.setattr("processor.manifest.writer.MAX_PARTS", 2)
    with pytest.raises(ManifestTakenError, match="compression gzip"):
        asyncio.run(write(writer(FakeS3()), 30))
