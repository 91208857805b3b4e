"""Faults on the wire: those that botocore's retries outlast leave an exact manifest, others a sorted error."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from processor.aws import open_s3
from processor.aws.clients import MAX_ATTEMPTS
from processor.errors import CheckpointLostError, ManifestTakenError, RetryableError, SourceRefusedError
from processor.job import Job, SiblingPayload
from tests.builders import job_of
from tests.conftest import NOW
from tests.corpus import AWKWARD_KEYS
from tests.executions import Hops
from tests.scripted_s3 import FOREVER, Fault, ScriptedS3

if TYPE_CHECKING:
    from processor.chain import Outcome

pytestmark = pytest.mark.no_cover  # whole jobs, again and again, of lines that other tests run, too
KEYS = sorted({*AWKWARD_KEYS, *(f"many/{number:04}.pdf" for number in range(200))})
JOB = job_of(suffix="", page_size=50)
PART = 1 << 15
EVERY_CALL = (
    "ListObjectsV2",
    "PutObject",
    "GetObject",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "HeadObject",
)
PASSING = [
    (operation, fault)
    for operation in EVERY_CALL
    for fault in (Fault.SLOW_DOWN, Fault.INTERNAL, Fault.UNAVAILABLE, Fault.RESET, Fault.TRUNCATED, Fault.ERROR_IN_200)
    # A HEAD has no body; GetObject streams the object, so an error in its 200 would be the object.
    if (operation, fault) not in {("HeadObject", Fault.TRUNCATED), ("HeadObject", Fault.ERROR_IN_200)}
    and (operation, fault) not in {("GetObject", Fault.TRUNCATED), ("GetObject", Fault.ERROR_IN_200)}
]
PASSING += [(operation, Fault.BROKEN_REFUSAL) for operation in EVERY_CALL if operation != "HeadObject"]
PASSING += [
    (operation, Fault.CUT) for operation in ("ListObjectsV2", "CreateMultipartUpload", "CompleteMultipartUpload")
]
# A gateway may answer in place of S3: with an empty body, or with its own page.
PASSING += [
    (operation, fault)
    for operation in EVERY_CALL
    for fault in (Fault.NOTHING, Fault.PAGE)
    if (operation, fault) != ("PutObject", Fault.NOTHING)  # as some stores answer
]
NO_COPY = (Fault.NOTHING, Fault.PAGE)  # as stores answer that take the request for an empty part
LASTING = [
    (operation, fault)
    for operation, fault in PASSING
    if fault in {Fault.SLOW_DOWN, Fault.RESET, Fault.ERROR_IN_200, Fault.NOTHING, Fault.PAGE}
    and not (operation == "UploadPartCopy" and fault in NO_COPY)
]
# How many requests of a kind may be under way at once: parts, and the key map's read beside the checkpoint's.
AT_ONCE = {"UploadPart": 8, "UploadPartCopy": 8, "GetObject": 2}


@pytest.fixture
def s3(scripted_s3: ScriptedS3) -> ScriptedS3:
    """Give the server a listing."""
    scripted_s3.keys = KEYS
    return scripted_s3


async def hop(
    s3: ScriptedS3, run: SiblingPayload, pages: int, part: int = PART
) -> tuple[Outcome | None, SiblingPayload | None]:
    """Do the work of one invocation that has time for some pages."""
    left = iter([1.0] * (pages - 1))
    async with open_s3(s3.endpoint, JOB.concurrency) as (client, secret_key):
        return await Hops(client, secret_key, part=part).hop(run, lambda: next(left, 0.0))


def chain(s3: ScriptedS3, *pages: int, part: int = PART, job: Job = JOB, delivery: str = "delivery") -> bytes:
    """Run a job in hops of these numbers of pages; return its manifest."""

    async def run() -> None:
        at: SiblingPayload | None = SiblingPayload.first(job, job.job_id(delivery), NOW)
        for count in pages:
            assert at is not None
            _, at = await hop(s3, at, count, part)
        assert at is None

    asyncio.run(run())
    return s3.objects[job.manifest_key_of(job.job_id(delivery))]


def keys_of(manifest: bytes) -> list[str]:
    """Return a manifest's keys; each line's URL is for its key."""
    lines = [json.loads(line) for line in manifest.splitlines()]
    assert [unquote(urlsplit(line["url"]).path) for line in lines] == [f"/reports/{line['key']}" for line in lines]
    return [line["key"] for line in lines]


def test_the_chain_makes_every_call(s3: ScriptedS3) -> None:
    """Two hops make each call that the faults below are injected into, and leave nothing behind."""
    assert keys_of(chain(s3, 2, 99)) == KEYS
    assert {name for name, _ in s3.wire} == {*EVERY_CALL, "DeleteObject"}
    assert not s3.uploads
    assert not [key for key in s3.objects if "/pieces/" in key]


@pytest.mark.parametrize(("operation", "fault"), PASSING, ids=lambda value: getattr(value, "name", value))
def test_a_passing_fault_leaves_no_trace(operation: str, fault: Fault, s3: ScriptedS3) -> None:
    """Each kind of call is retried by botocore itself, and the manifest is that of a run without faults."""
    s3.inject(operation, fault, 2)
    assert keys_of(chain(s3, 2, 99)) == KEYS
    assert s3.wire.count((operation, fault)) == 2


@pytest.mark.parametrize(
    ("operation", "before", "part"), [("PutObject", 0, 1 << 24), ("CompleteMultipartUpload", 1, PART)]
)
def test_a_commit_whose_answer_is_lost_is_recognised(operation: str, before: int, part: int, s3: ScriptedS3) -> None:
    """The manifest has appeared before the connection breaks: the retry is refused, and that is success."""
    s3.inject(operation, Fault.LOST, 1, after=before)
    assert keys_of(chain(s3, 99, part=part)) == KEYS
    assert not s3.uploads


@pytest.mark.parametrize(("operation", "fault"), LASTING, ids=lambda value: getattr(value, "name", value))
def test_a_lasting_fault_is_retryable(operation: str, fault: Fault, s3: ScriptedS3) -> None:
    """After all of botocore's attempts, and no more, the hop raises so that Lambda delivers it again."""
    s3.inject(operation, fault, FOREVER)
    with pytest.raises(RetryableError):
        chain(s3, 2, 99, 99)  # a commit that has joined a part hands over: two hops fail
    tried = s3.count(operation, failed=True)
    # aiohttp itself repeats a request once when a kept connection turns out to be dead; parts are several requests.
    most = 2 * MAX_ATTEMPTS if fault is Fault.RESET else MAX_ATTEMPTS
    most *= 2 if operation in {"UploadPartCopy", "HeadObject"} else 1
    assert MAX_ATTEMPTS <= tried <= most * AT_ONCE.get(operation, 1)
    assert not any(key.endswith(".jsonl") for key in s3.objects) or operation == "HeadObject"


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.RESET, Fault.DENIED], ids=lambda fault: fault.name)
def test_an_upload_that_cannot_be_aborted_hides_no_error(fault: Fault, s3: ScriptedS3) -> None:
    """Lambda sees the error that ended the hop, although the clean-up failed as well."""
    s3.inject("UploadPart", Fault.INTERNAL, FOREVER)
    s3.inject("AbortMultipartUpload", fault, FOREVER)
    with pytest.raises(RetryableError, match="InternalError"):
        chain(s3, 99)
    assert s3.count("AbortMultipartUpload") > 0


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.NO_BUCKET], ids=lambda fault: fault.name)
@pytest.mark.parametrize("operation", [name for name in EVERY_CALL if name not in {"HeadObject", "UploadPartCopy"}])
def test_a_refusal_is_terminal_and_never_retried(operation: str, fault: Fault, s3: ScriptedS3) -> None:
    """A missing right or bucket ends the job at once, with that reason."""
    s3.inject(operation, fault, FOREVER)
    with pytest.raises(SourceRefusedError, match=fault.value[1]):
        chain(s3, 2, 99)
    seeing_whether_it_may_read = operation == "GetObject" and fault is Fault.DENIED
    assert s3.count(operation) <= AT_ONCE.get(operation, 1) + seeing_whether_it_may_read


@pytest.mark.parametrize("fault", NO_COPY, ids=lambda fault: fault.name)
def test_a_store_that_cannot_copy_parts_gets_them_uploaded(fault: Fault, s3: ScriptedS3) -> None:
    """Some stores take UploadPartCopy for the upload of an empty part; the manifest is whole all the same."""
    s3.inject("UploadPartCopy", fault, FOREVER)
    assert keys_of(chain(s3, 2, 99)) == KEYS
    assert not s3.uploads


def test_the_hop_after_a_lasting_fault_continues_from_the_checkpoint(s3: ScriptedS3) -> None:
    """The hop that Lambda delivers again ends with an exact manifest, although the first try died between two parts."""
    run = SiblingPayload.first(JOB, JOB.job_id("delivery"), NOW)
    _, second = asyncio.run(hop(s3, run, 2))
    assert second is not None
    s3.inject("UploadPart", Fault.INTERNAL, 40)
    with pytest.raises(RetryableError):
        asyncio.run(hop(s3, second, 99))
    s3._faults.clear()
    outcome, _ = asyncio.run(hop(s3, second, 99))
    assert outcome is not None
    assert outcome.complete
    assert keys_of(s3.objects[JOB.manifest_key_of(run.job_id)]) == KEYS


def test_a_store_that_refuses_to_copy_gets_the_manifest_all_the_same(s3: ScriptedS3) -> None:
    """The parts are uploaded instead; if a right were missing, that would be refused too."""
    s3.inject("UploadPartCopy", Fault.DENIED, FOREVER)
    assert keys_of(chain(s3, 2, 99)) == KEYS
    assert not s3.uploads


def test_a_bucket_that_demands_a_checksum_of_each_body_gets_it(s3: ScriptedS3) -> None:
    """As one with Object Lock and a default retention: after the first refusal each body has it."""
    s3.is_locked = True
    assert keys_of(chain(s3, 2, 99)) == KEYS
    bodies = [headers for operation, headers in s3.sent if operation == "UploadPart"]
    refused = [headers for headers in bodies if "content-md5" not in headers]
    assert len(refused) < len(bodies) / 2


@pytest.mark.parametrize("code", ["InvalidArgument", "NotImplemented"])
@pytest.mark.parametrize(
    ("pages", "part"),
    [((2, 99), PART), ((1, 1, 1, 1, 1, 99), 4 * PART), ((99,), 5 << 20)],
    ids=["parts", "hops", "one body"],
)
def test_a_store_that_refuses_headers_by_name_gets_the_manifest(
    pages: tuple[int, ...], part: int, code: str, s3: ScriptedS3
) -> None:
    """As Backblaze B2 and R2: the headers that they do not know are left out, but not the condition."""
    s3.unknown = (code, "x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-mp-object-size")
    assert keys_of(chain(s3, *pages, part=part)) == KEYS
    last = "CompleteMultipartUpload" if len(pages) > 1 else "PutObject"
    assert "if-none-match" in [headers for operation, headers in s3.sent if operation == last][-1]


def test_a_store_that_refuses_a_condition_by_name_gets_the_manifest(s3: ScriptedS3) -> None:
    """Whichever code it answers with."""
    s3.unknown = ("InvalidArgument", "if-none-match")
    assert keys_of(chain(s3, 2, 99)) == KEYS


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
def test_a_request_that_a_store_does_not_know_without_any_condition_either_is_not_repeated(
    operation: str, s3: ScriptedS3
) -> None:
    """A request is sent again only where it then lacks what was refused."""
    s3.inject(operation, Fault.NOT_IMPLEMENTED, FOREVER)
    with pytest.raises((RetryableError, SourceRefusedError), match="NotImplemented"):
        chain(s3, 2, 99)
    assert s3.count(operation) <= 2 * AT_ONCE.get(operation, 1)


def test_a_store_without_conditional_writes_gets_the_manifest_all_the_same(s3: ScriptedS3) -> None:
    """Alibaba's OSS refuses the condition; each run has a key of its own."""
    s3.is_unconditional = True
    assert keys_of(chain(s3, 2, 99)) == KEYS


def test_a_store_without_conditional_writes_has_the_newest_manifest_at_the_stable_key(s3: ScriptedS3) -> None:
    """Swift has no ``If-Match``, which only a second run sends."""
    s3.is_unconditional = True
    job = replace(JOB, manifest_key="manifests/latest.jsonl")
    chain(s3, 99, job=job, delivery="first")
    s3.keys = KEYS[1:]
    newest = chain(s3, 99, job=job, delivery="second")
    assert s3.objects["manifests/latest.jsonl"] == newest


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.RESET, Fault.DENIED], ids=lambda fault: fault.name)
def test_pieces_that_cannot_be_deleted_do_not_fail_the_job(fault: Fault, s3: ScriptedS3) -> None:
    """The bucket's lifecycle rule removes them."""
    s3.inject("DeleteObject", fault, FOREVER)
    assert keys_of(chain(s3, 2, 99)) == KEYS


def test_a_missing_piece_or_checkpoint_is_named(s3: ScriptedS3) -> None:
    """A lifecycle rule that removed it ends the job with this reason."""
    run = SiblingPayload.first(JOB, JOB.job_id("delivery"), NOW)
    _, second = asyncio.run(hop(s3, run, 2))
    assert second is not None
    for key in [key for key in s3.objects if "/pieces/" in key]:
        del s3.objects[key]
    with pytest.raises(CheckpointLostError, match="pieces/"):
        asyncio.run(hop(s3, second, 99))
    s3.objects.clear()
    with pytest.raises(CheckpointLostError, match="checkpoint"):
        asyncio.run(hop(s3, second, 99))


def test_an_object_at_the_manifests_key_is_never_replaced(s3: ScriptedS3) -> None:
    """It may be another writer's."""
    key = JOB.manifest_key_of(JOB.job_id("delivery"))
    s3.objects[key] = b"another's"
    with pytest.raises(ManifestTakenError):
        chain(s3, 2, 99)
    assert s3.objects[key] == b"another's"
