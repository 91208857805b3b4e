"""Nights of the guide for operators: what the tool reports after an alarm, and the command that ends it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from tests.e2e.jobs import Job, eventually, pdf_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("account")]

WAIT = ("--wait", "--timeout", "120")


def tool(*arguments: str) -> tuple[int, str]:
    """Call a command as an operator does; return its exit code and all that it prints."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def invoked(job: Job, *more: str, **fields: Any) -> tuple[int, str]:
    """Invoke a job, and wait for its end."""
    return tool("invoke", "--event", json.dumps({**job.event, **fields}), *WAIT, *more)


def outlived(job: Job, *more: str) -> tuple[int, str]:
    """Invoke a job whose links live for a second, and let its second hop begin after that."""

    def release() -> None:
        job.wait_for_hop(1)
        time.sleep(1.1)
        held.close()

    with ExitStack() as held, ThreadPoolExecutor() as pool:
        held.enter_context(job.deployed.emulator.holding("hop-1"))
        pool.submit(release)
        return invoked(job, *more, expiry_seconds=1)


def test_parked__a_forgotten_job_continues_with_its_log_line(deployed: Deployed, tmp_path: Path) -> None:
    """The table was emptied: no command finds the job, and the line of the alarm has all of it."""
    job, tables = Job(deployed), boto3.client("dynamodb", **deployed.emulator.options)
    with job.held(1) as record:
        tables.delete_item(TableName=deployed.stack.jobs, Key={"job_key": {"S": record["job_key"]}})
    (line,) = eventually(lambda: [each for each in job.lines(record["job_id"]) if each["event"] == "parked"])
    assert line["reason"] == "forgotten"
    assert tool("resume", record["job_key"])[0] == 4
    (tmp_path / "parked.json").write_text(json.dumps(line))
    code, text = tool("invoke", "--event", f"@{tmp_path / 'parked.json'}", *WAIT)
    assert (code, f"complete: job {record['job_id']}" in text) == (0, True), text
    job.prove(pdf_keys(deployed))


def test_expired_manifests__the_tool_reports_dead_links_until_they_live_longer(deployed: Deployed) -> None:
    """`invoke --wait` said nothing of them, and with `--url` asked for what had just been done."""
    job = Job(deployed)
    code, text = outlived(job)
    assert (code, "urls_expired" in text) == (3, True), text
    assert "URLs are dead" in tool("status")[1]
    code, text = outlived(Job(deployed), "--fresh", "--url")
    assert (code, "with a longer expiry_seconds" in text) == (1, True), text
    code, text = invoked(job, "--fresh", expiry_seconds=900)
    assert (code, "urls_expired" in text) == (0, False), text


def test_empty_manifests__a_fresh_run_once_the_files_are_there_has_them(deployed: Deployed) -> None:
    """The finished empty manifest answers the same job while it is valid."""
    job, s3 = Job(deployed, prefix="inbox/late/"), boto3.client("s3", **deployed.emulator.options)
    code, text = invoked(job)
    assert (code, "empty_manifest: no key under 'inbox/late/'" in text) == (3, True), text
    place: dict[str, Any] = {"Bucket": "reports", "Key": "inbox/late/a.pdf"}
    s3.put_object(**place, Body=b"%PDF")
    try:
        assert invoked(job)[0] == 3
        code, text = invoked(job, "--fresh")
    finally:
        s3.delete_object(**place)
    assert (code, "count 1" in text, "empty_manifest" in text) == (0, True, False), text
