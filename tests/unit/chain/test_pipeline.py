"""List, sign, write: overlapped, bounded, cut anywhere without a trace."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.chain.pipeline import Pipeline
from processor.errors import RetryableError, SourceRefusedError
from processor.job import Checkpoint, DeploymentSettings, Job, SiblingPayload
from processor.listing import Lister
from processor.manifest import ManifestWriter
from processor.signing.signers import BatchSigner, Signed
from processor.signing.sigv4 import Template
from tests.builders import job_of
from tests.conftest import NOW, TOKEN
from tests.fakes import HOST, FakeS3, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from processor.chain import Outcome
    from processor.signing import Signer

OPEN = DeploymentSettings.from_environment({}, {})
QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIA%2F{day}%2Feu-west-1%2Fs3%2Faws4_request"
    f"&X-Amz-Date={{date}}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token={'t' * len(TOKEN)}"
)
HOSTNAME = HOST.removeprefix("https://").rstrip("/")
TEMPLATE = Template(base=HOST, path="/", host=HOSTNAME, query=QUERY, region="eu-west-1", at=NOW)


class Heard:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.errors: list[tuple[str, str]] = []
        self.fallbacks: list[str] = []

    def page(self, checkpoint: Checkpoint, listed: int) -> None:
        self.pages.append(listed)
        assert checkpoint.pages

    def presign_error(self, key: str, reason: str) -> None:
        self.errors.append((key, reason))

    def listing_fallback(self, reason: str) -> None:
        self.fallbacks.append(reason)


class Picky:
    """A signer that cannot sign some keys."""

    fallback_reason = None

    def __init__(self, bad: set[str]) -> None:
        self.bad = bad

    async def sign(self, keys: Sequence[str], first: int = 1) -> Signed:  # noqa: ARG002
        good = [key for key in keys if key not in self.bad]
        return Signed(good, [f"https://x/{key}" for key in good], [(k, "ValueError") for k in keys if k in self.bad])


def pipeline(
    s3: FakeS3,
    job: Job,
    start: Checkpoint,
    time_left: Callable[[], float],
    signer: Signer | None = None,
    **changes: Any,
) -> Pipeline:
    """Return one hop, with everything made anew as in a fresh process."""
    client: Any = s3
    hop = Pipeline(
        job=job,
        lister=Lister(client, job, (job.manifest_prefix,)),
        signer=signer or BatchSigner(TEMPLATE, "secret", lambda: NOW),
        writer=ManifestWriter(client, job, "run", start.upload),
        observer=Heard(),
        time_left=time_left,
        queue_max=20_000,
        clock=lambda: NOW,
    )
    return replace(hop, **changes)


def whole(s3: FakeS3, job: Job, **changes: Any) -> Outcome:
    """Run a job in one hop."""
    start = Checkpoint(job_key=job.job_key, job_id="run", cursor=job.cursor, start_after=job.start_after)
    return asyncio.run(pipeline(s3, job, start, lambda: 900, **changes).run(start))


def chain(s3: FakeS3, job: Job, pages_a_hop: Sequence[int]) -> tuple[Outcome, int]:
    """Run a job in hops of so many pages; each gets only what a payload and a checkpoint object carry."""
    place = SiblingPayload.first(job, job.job_id("delivery"), NOW)
    at = place.begin()
    for hop in range(10_000):
        left = iter([900.0] * (pages_a_hop[hop % len(pages_a_hop)] - 1))
        outcome = asyncio.run(pipeline(s3, place.job, at, lambda left=left: next(left, 0.0)).run(at))  # type: ignore[misc]
        if outcome.complete:
            return outcome, hop + 1
        stored = outcome.checkpoint.to_bytes()
        payload = json.dumps(place.after(outcome.checkpoint, f"{job.checkpoint_prefix(place.job_id)}1").to_payload())
        place = SiblingPayload.from_payload(json.loads(payload), OPEN)
        at = place.accept(Checkpoint.from_bytes(stored))
    raise AssertionError("the chain does not end")


def manifest_of(s3: FakeS3) -> bytes:
    """Return the manifest's lines, decompressed."""
    ((key, stored),) = s3.objects.items()
    return gzip.decompress(stored) if key.endswith(".gz") else stored


def keys_of(s3: FakeS3) -> list[str]:
    """Return the manifest's keys."""
    return [json.loads(line)["key"] for line in manifest_of(s3).splitlines()]


ODD = ["a b.pdf", "a+b.pdf", "ä/ö.PDF", "%2F.pdf", 'quote".pdf', "\U0001f600.pdf", "n\nl.pdf", "~.Pdf", "x.pdf/y.pdf"]


@settings(max_examples=150)
@given(
    keys=st.sets(st.sampled_from([*ODD, "a.txt", "manifests/1.pdf"]) | st.from_regex(r"\A[a-c]{1,4}(/|\.pdf)\Z")),
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    page_size=st.integers(1, 7),
    compression=st.sampled_from(["none", "gzip"]),
    concurrency=st.sampled_from([1, 2, 4, 16]),
)
def test_any_cut_of_a_small_job_gives_the_manifest_of_a_single_run(
    keys: set[str], cuts: list[int], page_size: int, compression: str, concurrency: int
) -> None:
    """The property that matters most: byte for byte, decompressed for gzip; one PutObject all the same."""
    job = job_of(page_size=page_size, compression=compression, concurrency=concurrency)
    single, cut = FakeS3(sorted(keys)), FakeS3(sorted(keys))
    whole(single, job)
    outcome, _ = chain(cut, job, cuts)
    assert manifest_of(cut) == manifest_of(single)
    taken = sorted(k for k in keys if k.lower().endswith(".pdf") and not k.startswith("manifests/"))
    assert keys_of(cut) == taken
    assert outcome.checkpoint.count == len(taken)
    assert [operation for operation, _ in cut.sent("create", "put")] == ["put"]


@pytest.mark.parametrize("seed", range(6))
def test_any_cut_of_a_job_of_several_parts_gives_the_manifest_of_a_single_run(seed: int) -> None:
    """One multipart upload across the hops, whatever the cuts."""
    rng = random.Random(seed)
    # gzip leaves little of a URL but its signature, so its keys must be long to fill a part.
    compression, digits = ("gzip", 700) if seed == 0 else ("none", 16)
    count = rng.randint(14_000, 18_000)
    keys = [f"2026/{rng.getrandbits(digits * 4):0{digits}x}/é {n}.pdf" for n in range(count)]
    job = job_of(compression=compression)
    single, cut = FakeS3(keys), FakeS3(keys)
    whole(single, job)
    _, hops = chain(cut, job, [rng.randint(1, 6) for _ in range(9)])
    assert hops >= 3
    assert manifest_of(cut) == manifest_of(single)
    assert keys_of(cut) == sorted(keys)
    assert len(cut.sent("create")) == 1
    assert len(cut.sent("part")) >= 2


def test_a_refused_token_is_replaced_by_the_last_key() -> None:
    """A token is opaque and its life undocumented; the chain survives its loss."""
    keys = [f"{n:03}.pdf" for n in range(50)]
    s3 = FakeS3(keys)
    job = job_of(page_size=10)
    start = Checkpoint(job_key=job.job_key, job_id="run")
    first = asyncio.run(pipeline(s3, job, start, lambda: 0).run(start))
    stale = replace(first.checkpoint, cursor="expired")
    asyncio.run(pipeline(s3, job, stale, lambda: 900).run(stale))
    assert keys_of(s3) == keys


def test_key_range__start_after_is_exclusive_and_end_at_inclusive() -> None:
    """Also beside a cursor, where S3 ignores ``StartAfter``; nothing is listed behind the end."""
    keys = [f"{n:03}.pdf" for n in range(100)]
    for cursor in (None, "token:003.pdf"):
        s3 = FakeS3(keys)
        whole(s3, job_of(start_after="009.pdf", end_at="025.pdf", page_size=10, cursor=cursor, concurrency=1))
        assert keys_of(s3) == keys[10:26]
        assert len(s3.sent("list")) <= 4


def test_improvement_5__a_key_that_cannot_be_signed_spoils_no_other() -> None:
    """It is counted, reported with its reason, and left out."""
    s3, heard = FakeS3([f"{n}.pdf" for n in range(5)]), Heard()
    outcome = whole(s3, job_of(), signer=Picky({"2.pdf"}), observer=heard)
    assert keys_of(s3) == ["0.pdf", "1.pdf", "3.pdf", "4.pdf"]
    assert (outcome.checkpoint.count, outcome.checkpoint.errors) == (4, 1)
    assert heard.errors == [("2.pdf", "ValueError")]


def test_improvement_4__a_failing_listing_ends_the_hop() -> None:
    """In the seed's predecessor, consumers waited for ever."""
    s3 = FakeS3([f"{n:02}.pdf" for n in range(30)])

    async def fail(operation: str, detail: Any) -> None:
        if operation == "list" and {"ContinuationToken", "StartAfter"} & set(detail):
            raise refuse("AccessDenied", "ListObjectsV2", 403)

    s3.before = fail
    with pytest.raises(SourceRefusedError, match="AccessDenied"):
        asyncio.run(asyncio.wait_for(_run(s3, job_of(page_size=10)), 5))
    assert not s3.objects


async def _run(s3: FakeS3, job: Job, **changes: Any) -> Outcome:
    start = Checkpoint(job_key=job.job_key, job_id="run")
    return await pipeline(s3, job, start, lambda: 900, **changes).run(start)


def test_improvement_7__pages_are_asked_for_by_size() -> None:
    """1,000 unless the job says otherwise."""
    s3 = FakeS3(["a.pdf"])
    whole(s3, job_of())
    assert s3.sent("list")[0][1]["MaxKeys"] == 1000
    assert "EncodingType" not in s3.sent("list")[0][1], "stating it switches botocore's decoding off"


def test_improvement_8__listing_signing_and_part_uploads_overlap() -> None:
    """On the wire: the next page is asked for, and parts travel, while earlier parts are still under way."""
    s3, gate = FakeS3([f"{n:06}.pdf" for n in range(30_000)]), asyncio.Event()

    async def slow_parts(operation: str, _: object) -> None:
        kinds = [kind for kind, _ in s3.wire]
        if kinds.count("part") >= 3 and "list" in kinds[kinds.index("part") :]:
            gate.set()
        if operation == "part":
            await gate.wait()

    s3.before = slow_parts
    asyncio.run(asyncio.wait_for(_run(s3, job_of(concurrency=4), queue_max=4000), 30))
    order = [(operation, detail) for operation, detail in s3.wire if operation in {"list", "part", "part done"}]
    first_done = next(index for index, (operation, _) in enumerate(order) if operation == "part done")
    before = [operation for operation, _ in order[:first_done]]
    assert before.count("part") >= 3, "several parts are under way at once"
    assert "list" in before[before.index("part") :], "listing goes on while parts upload"
    assert keys_of(s3) == sorted(s3.keys)


def test_queue_max__bounds_what_is_listed_and_not_yet_written() -> None:
    """However slow the uploads are."""
    s3, part_begun, gate = FakeS3([f"{n:06}.pdf" for n in range(60_000)]), asyncio.Event(), asyncio.Event()

    async def never_done(operation: str, _: object) -> None:
        if operation == "part":
            part_begun.set()
            await gate.wait()

    async def run() -> None:
        s3.before = never_done
        job = job_of(concurrency=1)
        task = asyncio.create_task(_run(s3, job, queue_max=5000))
        await part_begun.wait()
        for _ in range(3000):
            await asyncio.sleep(0)
        held_back = len(s3.sent("list"))
        gate.set()
        await task
        # Two parts of about 5 MiB are in memory (one under way, one built), 5,000 keys in the queue.
        lines_in_two_parts = 2 * (5 << 20) // len(manifest_of(s3).splitlines()[0])
        assert held_back * 1000 <= lines_in_two_parts + 5000 + 2000

    asyncio.run(run())


def test_time__is_asked_for_at_every_page_boundary_and_one_page_is_always_taken() -> None:
    """A hop with no time to spare still moves the chain."""
    s3 = FakeS3([f"{n:02}.pdf" for n in range(50)])
    asked: list[float] = []

    def none_left() -> float:
        asked.append(0)
        return -5.0

    for concurrency, cursor in ((1, "token:09.pdf"), (4, None)):
        job = job_of(page_size=10, concurrency=concurrency)
        start = Checkpoint(job_key=job.job_key, job_id="run")
        outcome = asyncio.run(pipeline(s3, job, start, none_left).run(start))
        assert (outcome.complete, outcome.checkpoint.pages, outcome.checkpoint.hop) == (False, 1, 1)
        assert (outcome.checkpoint.start_after, outcome.checkpoint.cursor) == ("09.pdf", cursor)
    asked.clear()
    job = job_of(page_size=10, concurrency=1)
    outcome = asyncio.run(pipeline(FakeS3(s3.keys), job, start, lambda: asked.append(0) or 900).run(start))  # type: ignore[func-returns-value]
    assert outcome.complete
    assert len(asked) == 5


def test_time__a_page_that_does_not_come_is_left_to_the_sibling() -> None:
    """Waiting for S3 must not eat the time that the checkpoint needs."""
    s3 = FakeS3([f"{n:02}.pdf" for n in range(50)])

    async def stuck(operation: str, detail: Any) -> None:
        if operation == "list" and {"ContinuationToken", "StartAfter"} & set(detail):
            await asyncio.Event().wait()

    s3.before = stuck
    job = job_of(page_size=10)
    start = Checkpoint(job_key=job.job_key, job_id="run")
    outcome = asyncio.run(pipeline(s3, job, start, lambda: 0.01).run(start))
    assert (outcome.complete, outcome.checkpoint.pages) == (False, 1)


def test_a_failed_first_hop_leaves_no_upload__a_later_one_leaves_the_chains() -> None:
    """Unfinished uploads cost money; the one that a checkpoint names is still needed."""
    keys = [f"{n:06}.pdf" for n in range(20_000)]
    s3 = FakeS3(keys)

    async def fail(operation: str, _: object) -> None:
        if operation == "part" and len(s3.sent("part")) == 2:
            raise refuse("InternalError", status=500)

    s3.before = fail
    job = job_of()
    start = Checkpoint(job_key=job.job_key, job_id="run")
    with pytest.raises(RetryableError):
        asyncio.run(pipeline(s3, job, start, lambda: 900).run(start))
    assert s3.aborted == ["upload-1"]
    s3.before = None
    at = asyncio.run(
        pipeline(s3, job, start, lambda: 900 if len(s3.sent("part done")) < 2 else 0).run(start)
    ).checkpoint
    s3.before, s3.wire = fail, []
    with pytest.raises(RetryableError):
        asyncio.run(pipeline(s3, job, at, lambda: 900).run(at))
    assert s3.aborted == ["upload-1"]
    s3.before = None
    asyncio.run(pipeline(s3, job, at, lambda: 900).run(at))
    assert keys_of(s3) == keys


def test_manifests_are_never_listed_into_a_manifest() -> None:
    """They hold live URLs: neither the job's own prefix nor the deployment's is taken."""
    keys = ["manifests/old.pdf", "other/m.pdf", "other/n.pdf", "reports/a.pdf"]
    for prefix, expected in (("", ["reports/a.pdf"]), ("other/", []), ("reports/", ["reports/a.pdf"])):
        s3 = FakeS3(keys)
        job = job_of(prefix=prefix, manifest_prefix="other/")
        client: Any = s3
        whole(s3, job, lister=Lister(client, job, ("other/", "manifests/")))
        assert keys_of(s3) == expected


def test_expires_at__is_the_earliest_death_of_any_url() -> None:
    """The first page's URLs die first."""
    s3 = FakeS3(["a.pdf", "b.pdf"])
    ticks = iter([NOW, NOW, NOW.replace(second=50), NOW.replace(second=55)])
    outcome = whole(s3, job_of(page_size=1), clock=lambda: next(ticks))
    assert outcome.seconds == 40
    assert outcome.checkpoint.expires_at is not None
    assert (outcome.checkpoint.expires_at - NOW).total_seconds() == 900
