"""The public Python interface, on a moto server."""

from __future__ import annotations

import asyncio
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

import presign_siblings
from presign_siblings import CommandError, PresignSiblingsError, connections, read_manifest, run_job, session

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [f"in/{number:03}.pdf" for number in range(30)]


@pytest.fixture
def source(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a prefix with PDFs under it; the working directory of the test is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    bucket, s3 = f"autotest-{uuid.uuid4().hex}", boto3.client("s3", region_name="us-east-1", endpoint_url=aws)
    s3.create_bucket(Bucket=bucket)
    for key in (*KEYS, "in/no.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return f"s3://{bucket}/in/"


def test_the_package_exports_each_name_in_its_all() -> None:
    """Each is imported at its first use; another name is an AttributeError, as in any module."""
    assert {name for name in presign_siblings.__all__ if getattr(presign_siblings, name)} == set(
        presign_siblings.__all__
    )
    assert set(presign_siblings.__all__) <= set(dir(presign_siblings))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = presign_siblings.nothing  # type: ignore[attr-defined]


def test_a_job_runs_locally_and_its_manifest_can_be_read(source: str, tmp_path: Path) -> None:
    """The manifest is a file, compressed or not, and the result says when its URLs expire."""
    for name in ("links.jsonl", "links.jsonl.gz"):
        run = run_job(source, tmp_path / name, expiry_seconds=3600)
        assert (run.complete, run.count, run.errors) == (True, len(KEYS), 0)
        assert run.expires_at is not None
        assert timedelta(minutes=50) < run.expires_at - datetime.now(UTC) <= timedelta(hours=1)
        assert run.manifest == str(tmp_path / name)
        entries = list(read_manifest(run.manifest))
        assert [entry.key for entry in entries] == KEYS
        assert {entry.before_key for entry in entries} == {source.removeprefix("s3://").removesuffix("in/")}


def test_an_empty_manifest_is_reported_as_a_warning(source: str) -> None:
    """A program learns it, as the user of the command does."""
    run = run_job(f"{source}nothing/")
    assert (run.complete, run.count) == (True, 0)
    assert run.warning is not None
    assert run.warning.startswith("empty_manifest: no key under")
    assert run_job(source, "links.jsonl").warning is None


def test_a_manifest_in_s3_is_read_from_there(source: str) -> None:
    """The place that `run_job` returns is one that `read_manifest` takes."""
    run = run_job(source, source.replace("/in/", "/manifests/"), suffix="")
    assert run.manifest is not None
    assert [entry.key for entry in read_manifest(run.manifest)] == [*KEYS, "in/no.txt"]


def test_a_stopped_run_continues_where_it_was(source: str) -> None:
    """Progress is reported after each page; the same call without ``resume`` would lose it, and is refused."""
    counts: list[int] = []
    stopped = run_job(
        source,
        page_size=10,
        concurrency=1,
        stopping=lambda: bool(counts),
        on_progress=lambda progress: counts.append(progress.count),
    )
    assert (stopped.complete, stopped.reason, stopped.manifest) == (False, "stopped", None)
    assert 0 < counts[-1] < len(KEYS)
    with pytest.raises(CommandError, match=r"a run was stopped here: resume it \(--resume, resume=True\)"):
        run_job(source, page_size=10, concurrency=1)
    resumed = run_job(source, resume=True, page_size=10, concurrency=1)
    assert (resumed.job_id, resumed.count) == (stopped.job_id, len(KEYS))
    assert [entry.key for entry in read_manifest("manifest.jsonl")] == KEYS
    with pytest.raises(CommandError, match="exists already, .*: name another, or remove it"):  # no option of a command
        run_job(source)


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        ({"expiry_seconds": 0}, PresignSiblingsError, "expiry_seconds"),
        ({"colour": "red"}, PresignSiblingsError, "colour"),
        ({"to": "https://example.org/"}, CommandError, "goes to a file"),
        ({"page": True}, CommandError, "export --as html"),
    ],
)
def test_a_wrong_call_is_refused_with_the_reason_and_leaves_no_file(
    source: str, tmp_path: Path, call: dict[str, Any], error: type[Exception], why: str
) -> None:
    """Nothing has been listed by then."""
    before = set(tmp_path.iterdir())
    with pytest.raises(error, match=why):
        run_job(source, **call)
    assert {path for path in tmp_path.iterdir() if path.name != "state"} == before


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AWS_PROFILE", "nobody", r"\(nobody\) could not be found"),
        ("AWS_ACCESS_KEY_ID", None, "there are no AWS credentials"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1 failed: the connection was refused"),
    ],
)
def test_an_error_that_keeps_the_client_from_aws_is_one_of_this_package(
    source: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, message: str
) -> None:
    """It was an error of botocore's, which callers do not catch, as these calls do not document it."""
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    session.forget_session()
    for call in (lambda: run_job(source), lambda: next(read_manifest(f"{source}links.jsonl"))):
        with pytest.raises((CommandError, PresignSiblingsError), match=message):
            call()
    session.forget_session()


def test_a_profile_that_needs_an_mfa_code_is_named_when_no_terminal_can_ask_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scheduled job cannot answer botocore's question."""

    def no_terminal(_: str) -> None:
        raise EOFError

    monkeypatch.setenv("AWS_PROFILE", "ops")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(connections, "client", no_terminal)
    session.forget_session()
    for call in (lambda: run_job("s3://reports/"), lambda: next(read_manifest("s3://reports/links.jsonl"))):
        with pytest.raises(CommandError, match=r"profile ops wants an MFA code.*export-credentials --profile ops "):
            call()
    session.forget_session()


def signed_by(manifest: str | None, **more: Any) -> tuple[str, str]:
    """Return the access key and the region that a manifest's first URL is signed for."""
    url = next(read_manifest(str(manifest), **more)).url
    key, _, region, *_ = parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].split("/")
    return key, region


def tenant(name: str) -> boto3.Session:
    """Return a session of its own."""
    return boto3.Session(aws_access_key_id=name, aws_secret_access_key="s", region_name=f"eu-{name.lower()}-1")


def test_calls_at_once_sign_with_the_session_that_each_was_given(source: str) -> None:
    """All had those of the process; nothing said with whose keys, and for which region, a link was signed."""
    names, s3 = [f"T{number}" for number in range(6)], source.replace("/in/", "/links/")

    def call(name: str) -> tuple[str, str]:
        entered.wait()
        run = run_job(source, f"{s3}{name}/", session=tenant(name))
        return signed_by(run.manifest, session=tenant(name))

    entered = threading.Barrier(len(names))
    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(call, names)) == [(name, f"eu-{name.lower()}-1") for name in names]
    assert signed_by(run_job(source, "own.jsonl").manifest)[0] not in names


def test_a_manifest_is_read_with_its_own_session_while_another_job_runs(source: str) -> None:
    """A generator runs in its caller's context: between two entries, each call still has its own session."""
    entries = read_manifest(str(run_job(source, source.replace("/in/", "/links/")).manifest), session=tenant("A"))
    next(entries)
    assert signed_by(run_job(source, "own.jsonl").manifest)[0] != "A"
    assert len(list(entries)) == len(KEYS) - 1


def test_another_profile_in_the_environment_counts_from_the_next_call_on(
    source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first profile's keys signed for the region of the second."""
    keys = "aws_access_key_id = {0}\naws_secret_access_key = s\nregion = eu-{0}-1\n"
    (tmp_path / "config").write_text("".join(f"[profile {name}]\n{keys.format(name)}" for name in "ab"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name)
    for name in "ab":
        monkeypatch.setenv("AWS_PROFILE", name)
        assert signed_by(run_job(source, f"{name}.jsonl").manifest) == (name, f"eu-{name}-1")


def test_the_default_session_and_aws_region_count_for_the_links_too(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keys signed, but for the region of the environment; boto3 does not read AWS_REGION, which is documented."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", tenant("B"))
    assert signed_by(run_job(source, "default.jsonl").manifest) == ("B", "eu-b-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    assert signed_by(run_job(source, "region.jsonl").manifest)[1] == "ap-south-1"


def test_a_call_within_an_event_loop_names_the_way_out(source: str, tmp_path: Path) -> None:
    """As in a notebook, where asyncio's own error named a function that the user had not called."""

    async def cell() -> int:
        with pytest.raises(CommandError, match="await asyncio.to_thread"):
            run_job(source, tmp_path / "links.jsonl")
        return (await asyncio.to_thread(run_job, source, tmp_path / "links.jsonl")).count

    assert asyncio.run(cell()) > 0


def test_the_callers_event_loop_is_still_there_afterwards(source: str) -> None:
    """``asyncio.run`` takes it from the thread, and ``asyncio.get_event_loop`` of the caller fails."""

    def call() -> bool:  # in a thread of its own: pytest's has no loop
        own = asyncio.new_event_loop()
        asyncio.set_event_loop(own)
        try:
            assert run_job(source).complete
            return asyncio.get_event_loop() is own
        finally:
            own.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(call).result()


def test_a_missing_manifest_is_an_error() -> None:
    """It is raised at the first entry."""
    with pytest.raises(CommandError, match="no file"):
        next(read_manifest("nothing.jsonl"))
