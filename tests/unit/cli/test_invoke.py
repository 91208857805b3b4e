"""The end of a command that waits for a job."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import MagicMock, Mock

import pytest
from click.testing import CliRunner

from presign_siblings.cli import console, invoke
from presign_siblings.cli.invoke import finish
from presign_siblings.cli.main import main
from presign_siblings.errors import CommandError
from presign_siblings.remote import start
from presign_siblings.remote.job_snapshot import JobSnapshot
from presign_siblings.remote.manifest_link import page_url
from presign_siblings.remote.start import Started
from processor.chain.responses import Responses
from processor.ledger import COMPLETE
from tests.builders import record_of, run_of
from tests.conftest import NOW
from tests.deployed import DEPLOYED
from tests.log_group import Group

if TYPE_CHECKING:
    from presign_siblings.remote.logs import Tail

RUN = run_of()


@pytest.mark.parametrize(
    ("count", "expires_at", "allow_empty", "code"),
    [
        (0, "2026-04-01T07:00:00Z", False, 3),
        (0, "2026-04-01T06:00:00Z", True, 0),
        (5, "2026-04-01T07:00:00Z", False, 0),
        (5, "2026-04-01T06:00:00Z", False, 3),
    ],
)
def test_a_manifest_that_is_empty_or_has_dead_links_has_an_exit_code_of_its_own(
    count: int,
    expires_at: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    allow_empty: bool,
) -> None:
    """A waiting script sees it, by the function's clock, and prints the function's own sentence."""
    line: dict[str, Any] = {"event": "complete", "job_id": "j", "count": count, "warning": "empty_manifest: no key"}
    line |= {"timestamp": "2026-04-01 06:30:15,000+0000", "expires_at": expires_at}
    monkeypatch.setattr(start, "follow", lambda *_: iter([line]))
    options = {"follow": False, "url": False, "page_url": False, "timeout": None, "allow_empty": allow_empty}
    with pytest.raises(SystemExit) as left:
        finish(console.Terminal(json=True), DEPLOYED, Started("r", "k", NOW), cast("Tail", object()), options)
    assert left.value.code == code
    assert "no key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("as_json", "asked"), [(True, ["page_url"]), (False, ["page_url"]), (False, ["url", "page_url"])]
)
def test_a_link_to_the_page_is_printed_for_the_recipient(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: list[str], *, as_json: bool
) -> None:
    """Alone on standard output, or after that of the manifest."""
    monkeypatch.setattr(start, "follow", lambda *_: iter([{"event": "complete", "job_id": "j", "count": 5}]))
    monkeypatch.setattr(console.Terminal, "client", lambda *_: MagicMock())
    monkeypatch.setattr(invoke, "Jobs", MagicMock())
    monkeypatch.setattr(invoke, "manifest_url", lambda *_: "https://manifest")
    monkeypatch.setattr(invoke, "page_url", lambda *_: "https://page")
    waited = {name: name in asked for name in ("url", "page_url")}
    options = {"follow": False, "timeout": None, "allow_empty": False, **waited}
    with pytest.raises(SystemExit) as left:
        finish(console.Terminal(json=as_json), DEPLOYED, Started("r", "k", NOW), cast("Tail", object()), options)
    assert left.value.code == 0
    output = capsys.readouterr().out
    if as_json:
        assert json.loads(output)["page_url"] == "https://page"
    else:
        assert output.splitlines() == ["https://manifest"] * waited["url"] + ["https://page"]


def test_a_job_without_a_page_reports_the_cause() -> None:
    """None was requested, or the job has more files than a page may have."""
    with pytest.raises(CommandError, match="has no page beside its manifest: --fresh --page"):
        page_url(JobSnapshot(record_of(COMPLETE, result={"count": 5}), NOW), NOW)


def test_the_signed_page_is_the_jobs_own_whatever_its_record_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer of the jobs table must not choose what the function, or an operator with more rights, signs."""
    record = record_of(COMPLETE, result={"page_key": "private/salaries.pdf"})
    own, signed = record.place.job.page_key(record.job_id), list[str]()

    def sign(_: str, Params: dict[str, str], **__: object) -> str:  # noqa: N803 - boto3's
        signed.append(Params["Key"])
        return "https://link"

    async def sign_there(*given: Any, **named: Any) -> str:
        return sign(*given, **named)

    monkeypatch.setattr("presign_siblings.connections.client", lambda _: Mock(generate_presigned_url=sign))
    page_url(JobSnapshot(record, NOW), NOW)
    responses = Responses(Mock(), lambda: NOW, None, Mock())
    asyncio.run(responses.finished(record, Mock(generate_presigned_url=sign_there)))
    assert signed == [own, record.place.job.manifest_key_of(record.job_id), own]


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Make every client one fake, with an existing function."""
    fake = MagicMock()
    monkeypatch.setattr(console.Terminal, "client", lambda *_: fake)
    monkeypatch.setattr(console.Terminal, "deployed", lambda *_: DEPLOYED)
    return fake


def test_a_dry_invoke_prints_its_event_and_sends_nothing(functions: MagicMock) -> None:
    """By the function's own rules: an invalid field is refused too."""
    called = ["invoke", "s3://reports/2026/", "--suffix", ".csv", "--dry-run"]
    report = json.loads(CliRunner().invoke(main, [*called, "--json"]).stdout)
    assert report["event"] == {"bucket": "reports", "prefix": "2026/", "suffix": ".csv"}
    assert (report["dry_run"], report["function"]) == (True, DEPLOYED.named)
    assert "would get job" in CliRunner().invoke(main, called).stdout
    functions.invoke.assert_not_called()


@pytest.mark.parametrize("missing", [False, True])
def test_a_wait_without_a_log_group_says_what_it_waits_for(functions: MagicMock, *, missing: bool) -> None:
    """Somebody has deleted it, and the role may not make it: the command waited in silence, for ever."""
    group = Group()
    group.missing, functions.get_paginator.return_value = missing, group
    functions.invoke.return_value = {"StatusCode": 202, "ResponseMetadata": {"RequestId": "r"}}
    called = CliRunner().invoke(main, ["invoke", "s3://reports/2026/", "--wait", "--timeout", "0.01"])
    assert called.exit_code == 6, called.output
    assert (f"aws logs create-log-group --log-group-name {DEPLOYED.log_group}" in called.stderr) == missing


STOPPED = replace(
    RUN, hop=3, start_after="2026/a.pdf", checkpoint_key=f"{RUN.job.checkpoint_prefix(RUN.job_id)}000003-x"
)
RESUME, SIBLING = STOPPED.to_resume(), STOPPED.to_payload()


@pytest.mark.parametrize(
    "event",
    [
        RESUME,
        {"event": "parked", "reason": "stopped", "resume": RESUME},
        {"statusCode": 409, "body": json.dumps({"status": "parked", "resume": RESUME})},
        {"timestamp": "2026-04-01T00:00:00Z", "requestPayload": SIBLING},
        {"timestamp": "2026-04-01T00:00:00Z", "requestPayload": {"chain": SIBLING, "task_token": "t0ken"}},
    ],
)
def test_invoke_accepts_every_event_that_the_function_reads(functions: MagicMock, event: dict[str, Any]) -> None:
    """A resume payload as in the command's own example was refused; so was a record of the on-failure queue."""
    functions.invoke.return_value = {"StatusCode": 202, "ResponseMetadata": {"RequestId": "r", "HTTPHeaders": {}}}
    called = ["invoke", "--event", json.dumps(event), "--json"]
    result = CliRunner().invoke(main, called)
    assert (result.exit_code, json.loads(result.stdout)["job_key"]) == (0, RUN.job.job_key), result.output
    assert json.loads(functions.invoke.call_args.kwargs["Payload"]) == event
    assert "t0ken" not in CliRunner().invoke(main, [*called, "--dry-run"]).output


def test_a_dry_resume_prints_its_event_and_sends_nothing(functions: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop flag stays set."""
    jobs = MagicMock()
    jobs.find.return_value.record.job_key = "3f2a"
    monkeypatch.setattr(invoke, "Jobs", lambda *_: jobs)
    monkeypatch.setattr(start, "resume_payload", lambda *_: {"job_id": "j", "hop": 3})
    report = json.loads(CliRunner().invoke(main, ["resume", "3f2a", "--dry-run", "--json"]).stdout)
    assert (report["job_key"], report["event"]) == ("3f2a", {"job_id": "j", "hop": 3})
    functions.invoke.assert_not_called()
    jobs.set_stop.assert_not_called()
