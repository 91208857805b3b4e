"""Two independent servers that verify signatures give each awkward object for its URL, and for no other."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import itertools
import random
import re
import socket
import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import pytest
from aiohttp.multipart import content_disposition_filename, parse_content_disposition
from botocore.config import Config

from dev.aws import emulator
from processor.aws import apply_settings, open_s3
from processor.job import DeploymentSettings, Job, KeyRange, ResponseHeaders
from processor.listing import Lister
from processor.manifest import RangeWriters, open_s3_sink
from processor.signing import open_signer
from tests.browser import browser
from tests.corpus import AWKWARD_KEYS
from tests.e2e import swift
from tests.range_runs import RangeRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

BUCKET = "awkward"
EXPIRY = 900
PAGE_SIZE = 7
SECONDS = 60.0  # the longest wait for a browser's download, on a busy machine


class Server(NamedTuple):
    """A server with the corpus on it."""

    endpoint: str
    access_key: str
    secret_key: str


def body_of(key: str) -> bytes:
    """Return the body stored under a key: different for each."""
    return b"%PDF-1.7 " + hashlib.sha256(key.encode()).hexdigest().encode()


def filled(server: Server) -> Server:
    """Put the corpus on a server."""
    s3 = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=swift.REGION,
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )
    s3.create_bucket(Bucket=BUCKET)
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body_of(key))
    return server


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[Server]:
    """Run MiniStack, which enforces signatures and policies."""
    with emulator.running() as running:
        yield filled(Server(running.endpoint, "test", "test"))


@pytest.fixture(scope="session")
def swift_server() -> Iterator[Server]:
    """Run Swift, whose S3 interface is independent of MiniStack's."""
    with swift.running() as running:
        yield filled(Server(running.endpoint, swift.ACCESS_KEY, swift.SECRET_KEY))


# Each server is a fixture of its own: one with parameters would start anew whenever the order of tests changes it.
@pytest.fixture(params=["ministack_server", "swift_server"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return each server in turn, its credentials in the environment as Lambda would give them."""
    running: Server = request.getfixturevalue(request.param)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", running.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", running.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    monkeypatch.setenv("AWS_REGION", swift.REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", swift.REGION)
    return running


def signed(
    server: Server,
    clock: Callable[[], datetime],
    keys: tuple[str, ...],
    expiry: int = EXPIRY,
    headers: ResponseHeaders | None = None,
) -> list[str]:
    """Sign keys with the batch signer, in pages."""

    async def run() -> list[str]:
        async with open_s3(server.endpoint, 4) as (client, secret_key):
            signer = await open_signer(
                client, secret_key, bucket=BUCKET, expiry_seconds=expiry, clock=clock, headers=headers
            )
            assert signer.fallback_reason is None
            pages = [keys[start : start + PAGE_SIZE] for start in range(0, len(keys), PAGE_SIZE)]
            return [url for page in pages for url in (await signer.sign(page)).urls]

    return asyncio.run(run())


def now() -> datetime:
    """Return the present instant: the servers check it."""
    return datetime.now(UTC)


def job_of(**fields: Any) -> Job:
    """Return a job on the bucket."""
    deployment = DeploymentSettings.from_environment({}, {})
    event = {"bucket": BUCKET, "suffix": "", "page_size": PAGE_SIZE, **fields}
    return Job.from_event(event, config={}, environment={}, deployment=deployment, now=now())


def listed(server: Server) -> tuple[str, ...]:
    """List the bucket, in many pages."""

    async def run() -> list[str]:
        async with open_s3(server.endpoint, 4) as (client, _):
            return [key async for page in Lister(client, job_of(), ()).pages(None, None) for key in page.keys]

    return tuple(asyncio.run(run()))


def listed_by_many(server: Server, hops: Iterator[int], page_size: int) -> RangeRun:
    """List the bucket from many places at once, in hops of given numbers of pages."""
    job, run = job_of(concurrency=8, page_size=page_size), RangeRun()

    async def hop(pages: int) -> None:
        async with open_s3(server.endpoint, 8) as (client, _):
            await run.listed(client, job, queue_max=20 * page_size, pages=pages)

    while not run.ended:
        asyncio.run(hop(next(hops)))
    return run


def fetch(server: Server, urls: list[str]) -> list[tuple[int, bytes]]:
    """Get URLs with a plain HTTP client, which sends each path as it is."""
    connection = http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=20)
    answers = []
    for url in urls:
        assert url.startswith(f"{server.endpoint}/")
        connection.request("GET", url.removeprefix(server.endpoint))
        response = connection.getresponse()
        answers.append((response.status, response.read()))
    connection.close()
    return answers


def test_each_listed_key_is_fetched_by_its_url(server: Server) -> None:
    """The lister finds the whole corpus in order, and each URL gives its object's own bytes."""
    keys = listed(server)
    assert keys == tuple(sorted(AWKWARD_KEYS))
    answers = fetch(server, signed(server, now, keys))
    assert dict(zip(keys, answers, strict=True)) == {key: (200, body_of(key)) for key in keys}


@pytest.mark.parametrize("seed", range(4))
def test_many_readers_list_each_key_once_wherever_the_hops_end(server: Server, seed: int) -> None:
    """Both servers start after guesses that are no keys, in S3's order; neither contradicts itself."""
    rng = random.Random(seed)
    page_size = rng.randint(1, 5)
    hops = iter(lambda: rng.randint(1, 9), 0) if seed else itertools.repeat(10_000)
    run = listed_by_many(server, hops, page_size)
    assert run.in_order == sorted(AWKWARD_KEYS)
    assert not run.heard
    if not seed:
        assert run.requests <= 2 * (len(AWKWARD_KEYS) / page_size + 1) + 2


def another_key(url: str) -> str:
    """Point a URL at another object, which exists."""
    there = "/plain.pdf" if "/plain.pdf?" not in url else "/UPPER/lower/MiXed.PDF"
    return f"{url[: url.index(f'/{BUCKET}/')]}/{BUCKET}{there}?{url.partition('?')[2]}"


def another_signature(url: str) -> str:
    """Change a signature's last digit."""
    return f"{url[:-1]}{'0' if url[-1] != '0' else '1'}"


def a_longer_life(url: str) -> str:
    """Extend a URL's life beyond what was signed."""
    return url.replace(f"X-Amz-Expires={EXPIRY}", f"X-Amz-Expires={EXPIRY + 1}")


def a_later_date(url: str) -> str:
    """Move the instant of signing."""
    return re.sub(r"X-Amz-Date=(\d{8}T\d{5})(\d)Z", lambda d: f"X-Amz-Date={d[1]}{(int(d[2]) + 1) % 10}Z", url)


@pytest.mark.parametrize("tamper", [another_key, another_signature, a_longer_life, a_later_date])
def test_a_tampered_url_is_refused(tamper: Callable[[str], str], server: Server) -> None:
    """One character is enough, whatever the key: the servers do verify, so URLs that they accept are signed right."""
    urls = signed(server, now, AWKWARD_KEYS)
    tampered = [tamper(url) for url in urls]
    assert not set(urls) & set(tampered)
    answers = fetch(server, tampered)
    assert {key: status for key, (status, _) in zip(AWKWARD_KEYS, answers, strict=True)} == dict.fromkeys(
        AWKWARD_KEYS, 403
    )


def test_an_expired_url_is_refused(server: Server) -> None:
    """A URL expires after the seconds that were signed, no sooner: one of the same date with more seconds lives."""

    def an_hour_ago() -> datetime:
        return now() - timedelta(hours=1)

    assert {status for status, _ in fetch(server, signed(server, an_hour_ago, AWKWARD_KEYS, 3599))} == {403}
    assert {status for status, _ in fetch(server, signed(server, an_hour_ago, AWKWARD_KEYS, 7200))} == {200}


def test_swift_leaves_no_process_behind() -> None:
    """Each of its four servers has a session of its own, yet none outlives the test that started it."""
    with swift.running() as running:
        assert len(set(running.ports)) == 4
    for port in running.ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_url_with_requester_pays_is_answered(server: Server) -> None:
    """Two servers without botocore's hook accept the query as signed."""

    async def run() -> list[str]:
        async with open_s3(server.endpoint, 4) as (client, secret_key):
            apply_settings(client, DeploymentSettings.from_environment({"REQUEST_PAYER": "requester"}, {}))
            signer = await open_signer(client, secret_key, bucket=BUCKET, expiry_seconds=EXPIRY, clock=now)
            return list((await signer.sign(AWKWARD_KEYS[:5])).urls)

    urls = asyncio.run(run())
    assert all("?x-amz-request-payer=requester&" in url for url in urls)
    assert fetch(server, urls) == [(200, body_of(key)) for key in AWKWARD_KEYS[:5]]
    forged = [url.replace("payer=requester", "payer=requestor") for url in urls]
    assert {status for status, _ in fetch(server, forged)} == {403}


@pytest.mark.parametrize("equal", [False, True], ids=["copied", "equal parts"])
@pytest.mark.parametrize("mebibytes", [1, 6, 27], ids=["one put", "a part", "several parts"])
def test_a_manifest_is_put_together_with_its_metadata(server: Server, mebibytes: int, *, equal: bool) -> None:
    """Copied inside the server, with parts at each seam that are read and written; or in equal parts."""
    job = job_of(manifest_prefix=f"manifests-{mebibytes}-{equal}/")
    job_id = job.job_id(str(now()))
    lines = [bytes([65 + number]) * (1 << 20) for number in range(mebibytes)]

    async def run() -> tuple[dict[str, str], bytes]:
        async with open_s3(server.endpoint, 4) as (client, _):
            sink = open_s3_sink(client, job, job_id, "holder", equal=equal)
            place = [KeyRange(number, str(number), str(number + 1), "", None, done=True) for number in range(5)]
            writers = RangeWriters(sink.pieces, "none", ())
            for number, line in enumerate(lines):
                await writers.write(number * 5 // mebibytes, [line])
            if mebibytes > 1:
                before = await writers.suspend(place)
                writers, place = RangeWriters(sink.pieces, "none", before), [found.range for found in before]
            whole = await writers.whole(place)
            about = {"count": "7", "size": str(whole.encoded.size), "crc32": f"{whole.encoded.checksum:08x}"}
            assert await sink.composer.compose(whole, about, None, lambda: 900.0) == about
            assert await sink.composer.found() == {"job-id": job_id, **about}
            await sink.pieces.discard(writers.keys)
            head = await client.get_object(Bucket=BUCKET, Key=job.manifest_key_of(job_id))
            body = await head["Body"].read()
            left = await client.list_objects_v2(Bucket=BUCKET, Prefix=job.manifest_prefix)
            assert [entry["Key"] for entry in left["Contents"]] == [job.manifest_key_of(job_id)]
            await client.delete_object(Bucket=BUCKET, Key=job.manifest_key_of(job_id))
            return dict(head["Metadata"]), body

    found, body = asyncio.run(run())
    assert body == b"".join(lines)
    assert found["crc32"] == f"{zlib.crc32(body):08x}"


def test_signed_response_headers_are_sent_for_each_awkward_key(server: Server) -> None:
    """Type, caching and name are as signed; a changed name is refused."""
    headers = ResponseHeaders(
        disposition="inline", filename="{stem} ü.{ext}", content_type="text/plain", cache_control="no-store"
    )
    keys = tuple(sorted(AWKWARD_KEYS))
    connection = http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=20)
    urls = signed(server, now, keys, headers=headers)
    for key, url in zip(keys, urls, strict=True):
        connection.request("GET", url.removeprefix(server.endpoint))
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, body_of(key))
        assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("text/plain", "no-store")
        kind, parameters = parse_content_disposition(answer.headers["Content-Disposition"])
        assert (kind, content_disposition_filename(parameters)) == ("inline", headers.file_names([key], 1)[0])
    connection.close()
    assert [status for status, _ in fetch(server, [urls[0].replace("inline", "attachment")])] == [403]


def test_a_browser_saves_the_file_under_the_signed_name(server: Server, tmp_path: Path) -> None:
    """Chromium, with a name that is not ASCII."""
    (url,) = signed(server, now, ("a/b/c/deep.pdf",), headers=ResponseHeaders(filename="Bericht für {stem}.{ext}"))
    with browser(tmp_path / "profile") as driver:
        driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "saved")}
        )
        driver.get(url)
        saved = tmp_path / "saved" / "Bericht für deep.pdf"
        deadline = time.monotonic() + SECONDS
        while not saved.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert saved.read_bytes() == body_of("a/b/c/deep.pdf")
