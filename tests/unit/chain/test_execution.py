"""Listing, signing, writing and joining overlap, are bounded, and may be cut anywhere without a trace."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
import random
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processor.chain import execution, pipeline
from processor.errors import RetryableError, SourceRefusedError
from processor.hindrances import MAX_URL
from processor.job import SiblingPayload
from processor.manifest import bodies, composer
from processor.signing.signers import Signed
from processor.urls import Urls
from tests.builders import OPEN, job_of
from tests.examples import examples
from tests.executions import Hops, first
from tests.fakes import NOW, FakeS3, refuse
from tests.split_listing import splitting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from processor.chain import Outcome
    from processor.job import Job

FOR_EVER = 500


class Picky:
    """A signer that cannot sign some keys; its URLs begin with ``base``."""

    fallback_reason = None

    def __init__(self, bad: Collection[str] = (), base: str = "https://x/") -> None:
        self.bad, self.base = bad, base

    async def sign(self, keys: Sequence[str], first: int = 1, versions: object = None) -> Signed:  # noqa: ARG002
        good = [key for key in keys if key not in self.bad]
        bad = [(key, "ValueError") for key in keys if key in self.bad]
        return Signed(good, Urls((self.base, ""), (good, [""] * len(good))), bad)


def whole(s3: FakeS3, job: Job, **hops: Any) -> Outcome:
    """Run a job in one hop."""
    outcome, _ = asyncio.run(Hops(s3, **hops).chain(job, [FOR_EVER]))
    return outcome


def chain(s3: FakeS3, job: Job, pages_a_hop: Sequence[int], **hops: Any) -> tuple[Outcome, int]:
    """Run a job in hops of the given pages, repeated until the end."""
    return asyncio.run(Hops(s3, **hops).chain(job, _again(pages_a_hop)))


def _again(pages: Sequence[int]) -> Iterable[int]:
    return itertools.islice(itertools.cycle(pages), FOR_EVER)


def stored(s3: FakeS3) -> bytes:
    """Return the manifest's bytes; nothing but checkpoints is left beside it."""
    body = committed(s3)
    assert not [key for key in s3.objects if "/pieces/" in key], "pieces are gone after the commit"
    return body


def manifest_of(s3: FakeS3, job: Job) -> bytes:
    """Return the manifest's lines, decompressed."""
    return gzip.decompress(stored(s3)) if job.compression == "gzip" else stored(s3)


def keys_of(s3: FakeS3, job: Job) -> list[str]:
    """Return the manifest's keys."""
    return [json.loads(line)["key"] for line in manifest_of(s3, job).splitlines()]


ODD = ["a b.pdf", "a+b.pdf", "ä/ö.PDF", "%2F.pdf", 'quote".pdf', "\U0001f600.pdf", "n\nl.pdf", "~.Pdf", "x.pdf/y.pdf"]


@examples(50)
@given(
    keys=st.sets(st.sampled_from([*ODD, "a.txt"]) | st.from_regex(r"\A[a-c]{1,4}(/|\.pdf)\Z")),
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    page_size=st.integers(1, 7),
    compression=st.sampled_from(["none", "gzip"]),
    concurrency=st.sampled_from([1, 2, 4, 16]),
)
def test_any_cut_of_a_small_job_gives_the_manifest_of_a_single_run(
    keys: set[str], cuts: list[int], page_size: int, compression: str, concurrency: int
) -> None:
    """The most important property: byte for byte, decompressed for gzip, and still one PutObject."""
    job = job_of(prefix="in/", page_size=page_size, compression=compression, concurrency=concurrency)
    keys = {f"in/{key}" for key in keys}
    single, cut = FakeS3(sorted(keys)), FakeS3(sorted(keys))
    whole(single, job)
    outcome, _ = chain(cut, job, cuts)
    assert manifest_of(cut, job) == manifest_of(single, job)
    taken = sorted(key for key in keys if key.lower().endswith(".pdf"))
    assert keys_of(cut, job) == taken
    assert outcome.checkpoint.counts.count == len(taken)
    assert not cut.sent("create")


@examples(40)
@given(
    count=st.integers(0, 60),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    part=st.sampled_from([300, 1000, 5000]),
    page_size=st.integers(1, 9),
    compression=st.sampled_from(["none", "gzip"]),
    concurrency=st.sampled_from([1, 2, 4, 16]),
)
def test_any_cut_of_a_job_of_several_parts_gives_the_manifest_of_a_single_run(
    count: int, cuts: list[int], part: int, page_size: int, compression: str, concurrency: int
) -> None:
    """Whatever is in pieces, in parts or in memory when the time is up, during the commit too."""
    rng = random.Random(count)
    keys = [f"2026/{rng.getrandbits(64):016x}/é {n}.pdf" for n in range(count)]
    job = job_of(prefix="2026/", page_size=page_size, compression=compression, concurrency=concurrency)
    single, cut = FakeS3(keys), FakeS3(keys, min_part=part)
    whole(single, job)
    outcome, _ = chain(cut, job, cuts, part=part)
    assert manifest_of(cut, job) == manifest_of(single, job)
    assert keys_of(cut, job) == sorted(keys)
    (about,) = [about for key, about in cut.metadata.items() if "/." not in key]
    assert (about["count"], about["size"]) == (str(count), str(len(stored(cut))))
    assert outcome.checkpoint.counts.count == count
    assert not cut.uploads


@examples(60)
@given(
    count=st.integers(0, 60),
    seed=st.integers(0, 1 << 32),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    part=st.sampled_from([300, 1000, 5000, 5 << 20]),
    page_size=st.integers(1, 9),
    compression=st.sampled_from(["none", "gzip"]),
    faults=st.lists(st.integers(1, 40), max_size=4),
)
@example(count=21, seed=4, cuts=[1, 3], part=1000, page_size=5, compression="gzip", faults=[19, 3])
# A part of the manifest fails, and then the piece that the hop would leave to the next one.
@example(count=38, seed=0, cuts=[2], part=5000, page_size=5, compression="gzip", faults=[1, 33, 1])
def test_any_splits_cuts_and_faults_give_the_manifest_of_one_chain(  # noqa: PLR0913 - each is drawn
    *, count: int, seed: int, cuts: list[int], part: int, page_size: int, compression: str, faults: list[int]
) -> None:
    """Ranges in any order, split anywhere, handed over at any page; a failed hop is done again."""
    rng = random.Random(seed)
    keys = [f"2026/{rng.getrandbits(64):016x}/é {n}.pdf" for n in range(count)]
    job = job_of(prefix="2026/", page_size=page_size, compression=compression, concurrency=4)
    single, split = FakeS3(keys), FakeS3(keys, min_part=part)
    whole(single, job)

    async def fail(operation: str, _: object) -> None:
        if operation == "abort":  # an upload that cannot be aborted is left to the lifecycle rule
            return
        if faults:
            faults[0] -= 1
        if faults[:1] == [0]:
            faults.pop(0)
            raise refuse("InternalError", status=500)

    async def run() -> Outcome:
        hops, at, cut = Hops(split, part=part), first(job), itertools.cycle(cuts)
        while True:
            left = iter([900.0] * next(cut))
            split.before = fail
            try:
                outcome, to = await hops.hop(at, lambda left=left: next(left, 0.0))  # type: ignore[misc]
            except RetryableError:
                continue
            split.before = None
            if outcome is not None and to is not None:
                at = SiblingPayload.from_payload(json.loads(json.dumps(to.to_payload())), OPEN)
                continue
            assert outcome is not None
            return outcome

    listing = mock.patch.object(execution, "open_listing", splitting(rng, sorted(keys)))
    with listing, mock.patch.object(pipeline, "PAUSE_SECONDS", 0.0):
        outcome = asyncio.run(run())
    manifest = gzip.decompress(committed(split)) if compression == "gzip" else committed(split)
    assert manifest == manifest_of(single, job)
    assert outcome.checkpoint.counts.count == count
    assert not split.uploads


def committed(s3: FakeS3) -> bytes:
    """Return the manifest's bytes."""
    ((_, body),) = [(key, body) for key, body in s3.objects.items() if "/." not in key]
    return body


def test_a_job_of_several_parts_is_joined_by_copies() -> None:
    """5 MiB parts: the bytes of pieces are read again only at the seams."""
    keys = [f"{n:06}.pdf" for n in range(15_000)]
    s3, job = FakeS3(keys), job_of()
    _, hops = chain(s3, job, [5])
    assert hops >= 3
    assert keys_of(s3, job) == keys
    assert s3.sent("copy")
    assert s3.headers[job.manifest_key_of(first(job).job_id)]["Metadata"]["count"] == "15000"


def test_the_metadata_of_the_manifest_is_written_with_it() -> None:
    """Also for a multipart upload; nothing is written to the manifest afterwards."""
    for part in (None, 300):
        s3, job = (
            FakeS3([f"0/{n:02}.pdf" for n in range(40)], min_part=part or 5 << 20),
            job_of(prefix="0/", page_size=10, concurrency=1),
        )
        chain(s3, job, [2], part=part)
        key = job.manifest_key_of(first(job).job_id)
        assert s3.metadata[key] == {
            "job-id": first(job).job_id,
            "count": "40",
            "errors": "0",
            "pages": "4",
            "expires-at": "2026-04-01T06:45:15Z",
            "size": str(len(stored(s3))),
            "crc32": s3.metadata[key]["crc32"],
        }
        assert not s3.tags


def test_a_commit_that_runs_out_of_time_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are made in one hop, the manifest appears in the next; nothing is listed again."""
    monkeypatch.setattr(composer, "QUICKLY", 0)
    s3, job = (
        FakeS3([f"0/{n:02}.pdf" for n in range(40)], min_part=300),
        job_of(prefix="0/", page_size=50, concurrency=1),
    )
    outcome, hops = chain(s3, job, [1], part=300)
    assert hops == 2
    assert len(s3.sent("list")) == 1
    assert len(keys_of(s3, job)) == 40
    assert outcome.complete


def test_progress__parts_of_the_commit_count_as_pages_do() -> None:
    """Otherwise a chain whose commit takes several hops would be parked for lack of progress."""
    s3, job = FakeS3([f"0/{n:02}.pdf" for n in range(40)], min_part=300), job_of(prefix="0/", page_size=40)

    async def run() -> list[int]:
        hops, at, steps = Hops(s3, part=300), first(job), []
        while at is not None:
            outcome, to = await hops.hop(at, lambda: 0.0)
            assert outcome is not None
            steps.append(outcome.steps)
            at = to  # type: ignore[assignment]
        return steps

    steps = asyncio.run(run())
    assert all(steps[:-1])


def test_a_refused_token_is_replaced_by_the_last_key() -> None:
    """A token is opaque, and its lifetime undocumented; the chain survives its loss."""
    keys = [f"{n:03}.pdf" for n in range(50)]
    s3, job = FakeS3(keys), job_of(page_size=10, concurrency=1)

    async def run() -> None:
        hops = Hops(s3)
        _, to = await hops.hop(first(job), lambda: 0.0)
        assert to is not None
        assert to.cursor == "token:009.pdf"
        s3.token_life = -1.0
        while to is not None:
            _, to = await hops.hop(to, lambda: 0.0)

    asyncio.run(run())
    assert keys_of(s3, job) == keys


def test_key_range__start_after_is_exclusive_and_end_at_inclusive() -> None:
    """Also beside a cursor, where S3 ignores ``StartAfter``; nothing is listed after the end."""
    keys = [f"{n:03}.pdf" for n in range(100)]
    for cursor in (None, "token:003.pdf"):
        s3 = FakeS3(keys)
        job = job_of(start_after="009.pdf", end_at="025.pdf", page_size=10, cursor=cursor, concurrency=1)
        whole(s3, job)
        assert keys_of(s3, job) == keys[10:26]
        assert len(s3.sent("list")) <= 4


def test_improvement_5__a_key_that_cannot_be_signed_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, reported with its reason, and left out."""

    async def picky(*_: Any, **__: Any) -> Picky:
        return Picky({"2.pdf"})

    monkeypatch.setattr(execution, "open_job_signer", picky)
    s3, job = FakeS3([f"{n}.pdf" for n in range(5)]), job_of()
    hops = Hops(s3)
    outcome, _ = asyncio.run(hops.chain(job, [FOR_EVER]))
    assert keys_of(s3, job) == ["0.pdf", "1.pdf", "3.pdf", "4.pdf"]
    assert (outcome.checkpoint.counts.count, outcome.checkpoint.counts.errors) == (4, 1)
    assert hops.heard.errors == [("2.pdf", "ValueError")]


def test_a_link_that_proxies_refuse_for_its_length_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """However its text is held, and to the byte."""

    async def wordy(*_: Any, **__: Any) -> Picky:
        return Picky(base="https://x/" + "t" * (MAX_URL - len("https://x/1.pdf")))

    monkeypatch.setattr(execution, "open_job_signer", wordy)
    outcome = whole(FakeS3(["1.pdf", "22.pdf", "333.pdf"]), job_of())
    assert outcome.checkpoint.counts.hindered == {"long_urls": 2}


def test_improvement_4__a_failing_listing_ends_the_hop() -> None:
    """In the seed's predecessor, the consumers waited for ever."""
    s3 = FakeS3([f"{n:02}.pdf" for n in range(30)])

    async def fail(operation: str, detail: Any) -> None:
        if operation == "list" and {"ContinuationToken", "StartAfter"} & set(detail):
            raise refuse("AccessDenied", "ListObjectsV2", 403)

    s3.before = fail
    with pytest.raises(SourceRefusedError, match="AccessDenied"):
        asyncio.run(asyncio.wait_for(Hops(s3).chain(job_of(page_size=10), [FOR_EVER]), 5))
    assert not s3.objects


def test_improvement_7__a_page_has_the_size_of_the_job() -> None:
    """1,000 by default."""
    s3 = FakeS3(["a.pdf"])
    whole(s3, job_of())
    assert s3.sent("list")[0][1]["MaxKeys"] == 1000
    assert s3.sent("list")[0][1]["EncodingType"] == "url", "unstated, botocore reads bytes that are no UTF-8 as U+FFFD"


def test_improvement_8__listing_signing_and_part_uploads_overlap() -> None:
    """On the wire: while earlier parts are under way, the next page is requested and further parts are sent."""
    s3, gate = FakeS3([f"{n:06}.pdf" for n in range(60_000)]), asyncio.Event()

    async def slow_parts(operation: str, _: object) -> None:
        kinds = [kind for kind, _ in s3.wire]
        if kinds.count("part") >= 3 and "list" in kinds[kinds.index("part") :]:
            gate.set()
        if operation == "part":
            await gate.wait()

    s3.before = slow_parts
    job = job_of(concurrency=4)
    hops = Hops(s3, deployment=replace(OPEN, queue_max=4000))
    asyncio.run(asyncio.wait_for(hops.chain(job, [FOR_EVER]), 30))
    order = [(operation, detail) for operation, detail in s3.wire if operation in {"list", "part", "part done"}]
    first_done = next(index for index, (operation, _) in enumerate(order) if operation == "part done")
    before = [operation for operation, _ in order[:first_done]]
    assert before.count("part") >= 3, "several parts are under way at once"
    assert "list" in before[before.index("part") :], "the listing continues while parts are uploaded"
    assert keys_of(s3, job) == sorted(s3.keys)


def test_queue_max__bounds_the_keys_that_are_listed_and_not_yet_written() -> None:
    """However slow the uploads are."""
    s3, part_begun, gate = FakeS3([f"{n:06}.pdf" for n in range(60_000)]), asyncio.Event(), asyncio.Event()

    async def never_done(operation: str, _: object) -> None:
        if operation == "part":
            part_begun.set()
            await gate.wait()

    async def run() -> None:
        s3.before = never_done
        job = job_of(concurrency=1)
        hops = Hops(s3, deployment=replace(OPEN, queue_max=5000))
        task = asyncio.create_task(hops.chain(job, [FOR_EVER]))
        await part_begun.wait()
        for _ in range(3000):
            await asyncio.sleep(0)
        held_back = len(s3.sent("list"))
        gate.set()
        await task
        # Two parts of 5 MiB are in memory (one under way, one built), 5,000 keys in the queue.
        lines_in_two_parts = 2 * (5 << 20) // len(manifest_of(s3, job).splitlines()[0])
        assert held_back * 1000 <= lines_in_two_parts + 5000 + 2000

    asyncio.run(run())


def test_time__is_asked_for_at_every_page_boundary_and_one_page_is_always_taken() -> None:
    """A hop without time to spare still moves the chain."""
    s3 = FakeS3([f"{n:02}.pdf" for n in range(50)])
    for concurrency, cursor in ((1, "token:09.pdf"), (4, None)):
        job = job_of(page_size=10, concurrency=concurrency)
        outcome, to = asyncio.run(Hops(s3).hop(first(job), lambda: -5.0))
        assert outcome is not None
        assert to is not None
        assert (outcome.complete, outcome.checkpoint.counts.pages, outcome.checkpoint.hop) == (False, 1, 1)
        assert (to.start_after, to.cursor) == ("09.pdf", cursor)
    asked: list[float] = []
    job = job_of(page_size=10, concurrency=1)
    outcome, _ = asyncio.run(Hops(FakeS3(s3.keys)).hop(first(job), lambda: asked.append(0) or 900))  # type: ignore[func-returns-value]
    assert outcome is not None
    assert outcome.complete
    assert len(asked) >= 5


def test_time__a_page_that_does_not_arrive_is_left_to_the_sibling() -> None:
    """A wait for S3 must not use the time that the checkpoint needs."""
    s3 = FakeS3([f"{n:02}.pdf" for n in range(50)])

    async def stuck(operation: str, detail: Any) -> None:
        if operation == "list" and {"ContinuationToken", "StartAfter"} & set(detail):
            await asyncio.Event().wait()

    s3.before = stuck
    outcome, _ = asyncio.run(Hops(s3).hop(first(job_of(page_size=10)), lambda: 0.01))
    assert outcome is not None
    assert (outcome.complete, outcome.checkpoint.counts.pages) == (False, 1)


def test_a_failed_hop_leaves_no_upload_and_the_chain_resumes_from_its_checkpoint() -> None:
    """Unfinished uploads cost money; no checkpoint names one but the commit's own."""
    keys = [f"{n:03}.pdf" for n in range(60)]
    s3, job = FakeS3(keys, min_part=2000), job_of(page_size=10)

    async def fail(operation: str, _: object) -> None:
        if operation == "part" and len(s3.sent("part")) == 2:
            raise refuse("InternalError", status=500)

    async def run() -> None:
        hops = Hops(s3, part=2000)
        s3.before = fail
        with pytest.raises(RetryableError):
            await hops.hop(first(job), lambda: 900)
        assert (list(s3.uploads), s3.aborted) == ([], ["upload-1"])
        s3.before, s3.wire = None, []
        left = iter([900.0])
        _, to = await hops.hop(first(job), lambda: next(left, 0.0))
        assert to is not None
        s3.before, s3.wire = fail, []
        with pytest.raises(RetryableError):
            await hops.hop(to, lambda: 900)
        assert not s3.uploads
        s3.before = None
        await hops.hop(to, lambda: 900)

    asyncio.run(run())
    (manifest,) = [body for key, body in s3.objects.items() if "/." not in key]
    assert [json.loads(line)["key"] for line in manifest.splitlines()] == keys


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list a process's files")
@pytest.mark.parametrize("operation", ["part", "copy", "complete", None])
def test_a_hop_gives_the_disk_back_though_its_error_is_held(
    operation: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hops that fail one after the other in a warm function would fill its disk, and take its descriptors."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(bodies, "SHORT", 1)
    s3, most = FakeS3([f"{n:03}.pdf" for n in range(60)], min_part=2000), 0

    async def fail(crossing: str, _: object) -> None:
        nonlocal most
        most = max(most, _files(tmp_path))
        if crossing == operation:
            raise refuse("InternalError", status=500)

    s3.before = fail
    hop = Hops(s3, part=2000).hop(first(job_of(page_size=10, concurrency=2)), lambda: 900)
    if operation is None:
        asyncio.run(hop)
    else:
        with pytest.raises(RetryableError) as held:
            asyncio.run(hop)
        assert held.value.__traceback__ is not None
    assert (most > 0, _files(tmp_path)) == (True, 0)


def _files(folder: Path) -> int:
    """Return how many files of a folder are open or mapped, most of which have no name."""
    opened = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return sum(str(folder) in each for each in (*opened, *mapped))


def test_expires_at__is_the_earliest_expiry_of_any_url() -> None:
    """The first page's URLs expire first."""
    s3 = FakeS3(["a.pdf", "b.pdf"])
    seconds = itertools.count()
    outcome = whole(s3, job_of(page_size=1), clock=lambda: NOW + timedelta(seconds=10 * next(seconds)))
    expires_at = outcome.checkpoint.counts.expires_at
    assert expires_at is not None
    lines = [json.loads(line)["url"] for line in stored(s3).splitlines()]
    dates = [line.partition("X-Amz-Date=")[2][:16] for line in lines]
    assert dates[0] < dates[1]
    assert f"{expires_at - timedelta(seconds=900):%Y%m%dT%H%M%SZ}" <= dates[0]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_fields__the_facts_of_each_object_are_in_its_own_line(concurrency: int) -> None:
    """Whatever is left out between them, and wherever the job is cut."""
    keys = [f"in/{number:03d}{'.pdf' if number % 3 else '.txt'}" for number in range(60)]
    s3 = FakeS3(keys, facts=lambda key: {"Size": int(key[3:6]), "StorageClass": f"CLASS{key[3:6]}"})
    job = job_of(prefix="in/", page_size=7, fields="storage_class, size", concurrency=concurrency)
    chain(s3, job, [2])
    lines = [json.loads(line) for line in manifest_of(s3, job).splitlines()]
    assert [list(line) for line in lines] == [["key", "size", "storage_class", "url"]] * 40
    for line in lines:
        number = line["key"][3:6]
        assert (line["size"], line["storage_class"]) == (int(number), f"CLASS{number}")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_choices__the_keys_left_out_are_counted_by_reason_over_all_hops(concurrency: int) -> None:
    """Names decide first; facts that only a choice needs are in no line."""
    keys = [f"in/{number:03d}{'.pdf' if number % 3 else '.txt'}" for number in range(60)]
    s3 = FakeS3(keys, facts=lambda key: {"Size": int(key[3:6]), "StorageClass": "STANDARD"} if key[:3] == "in/" else {})
    job = job_of(prefix="in/", page_size=7, exclude="05*", min_size=10, max_size=40, fields=[], concurrency=concurrency)
    outcome, _ = chain(s3, job, [2])
    assert keys_of(s3, job) == [key for key in keys if key.endswith("pdf") and 10 <= int(key[3:6]) <= 40]
    assert {tuple(json.loads(line)) for line in manifest_of(s3, job).splitlines()} == {("key", "url")}
    skipped = {"suffix": 20, "exclude": 7, "min_size": 6, "max_size": 6}
    assert outcome.checkpoint.counts.skipped == skipped
    assert outcome.checkpoint.counts.count + sum(skipped.values()) == 60
