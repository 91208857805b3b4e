"""The desk against the deployed stack: start, follow, watch, stop, resume, and use the manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from click.testing import CliRunner

from dev import proof
from dev.aws import stack
from dev.aws.ministack import REGION
from dev.checkout import REPOSITORY
from presign_siblings.cli.main import main
from tests.e2e.jobs import Job, pdf_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("account")]

SECONDS = "120"


def desk(*arguments: str) -> tuple[int, list[Any]]:
    """Call a command; return its exit code, and each line of its results."""
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert "X-Amz" not in result.output
    assert "Traceback" not in result.output
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()] or [json.loads(result.stderr)]


def event(job: Job, **fields: Any) -> str:
    """Return the event of a job that no other test has."""
    return json.dumps({**job.event, **fields})


def test_a_job_is_started_and_followed_and_its_manifest_is_used(deployed: Deployed, tmp_path: Path) -> None:
    """From the invocation to the files."""
    job, keys = Job(deployed), sorted(pdf_keys(deployed))
    code, lines = desk("invoke", "--event", event(job), "--follow", "--timeout", SECONDS, "--stack", stack.STACK)
    assert code == 0, lines
    assert [line["event"] for line in lines[:-1]].count("handover") >= 5
    assert (lines[-1]["state"], lines[-1]["count"]) == ("complete", len(keys))

    code, (jobs,) = desk("status", "--state", "complete")
    (shown,) = [each for each in jobs if each["job_id"] == lines[-1]["job_id"]]
    assert (code, shown["count"], shown["source"]) == (0, len(keys), f"s3://{stack.BUCKET}/{stack.PREFIX}")

    code, (report,) = desk("verify", shown["manifest"], "--all", "--head", stack.BUCKET)
    assert code == 0, report
    assert (report["count"], report["fetched"]) == (len(keys), len(keys))
    assert 0.4 * 86_400 < report["seconds_left"] < 0.6 * 86_400

    code, (done,) = desk("download", shown["manifest"], str(tmp_path / "pdfs"))
    assert (code, done["fetched"], done["failed"]) == (0, len(keys), 0)
    bodies = sorted(path.read_bytes() for path in (tmp_path / "pdfs").rglob("*") if path.is_file())
    assert bodies == sorted(item.body for item in deployed.items if item.is_pdf)
    code, (again,) = desk("download", shown["manifest"], str(tmp_path / "pdfs"))
    assert (code, again["fetched"], again["kept"]) == (0, 0, len(keys))

    code, (page,) = desk("export", shown["manifest"], "--as", "html", "--output", str(tmp_path / "index.html"))
    assert (code, page["count"]) == (0, len(keys))
    assert (tmp_path / "index.html").read_text().count("X-Amz-Signature=") == len(keys)


def test_the_manifests_own_url_is_enough_to_verify_it(deployed: Deployed) -> None:
    """It needs no account; the page's URL is for a recipient."""
    job = Job(deployed, compression="gzip")
    wanted = ["--url", "--page-url", "--timeout", SECONDS]
    result = CliRunner().invoke(main, ["invoke", "--event", event(job, page=True), *wanted])
    assert result.exit_code == 0, result.output
    url, page = result.stdout.splitlines()
    status, body = proof.get(page)
    assert (status, body.count(b"X-Amz-Signature=")) == (200, len(pdf_keys(deployed)))
    assert desk("verify", url, "--sample", "3")[0] == 0
    code, (failure,) = desk("verify", f"{url[:-1]}{'0' if url[-1] != '0' else '1'}")
    assert (code, "HTTP 403" in failure["error"]) == (1, True)


def test_a_chain_is_stopped_watched_and_resumed(deployed: Deployed) -> None:
    """Nothing is lost on the way."""
    job = Job(deployed)
    with deployed.emulator.holding("hop-1"):
        code, (started,) = desk("invoke", "--event", event(job))
        assert code == 0
        assert job.wait_for_hop(1)["job_key"] == started["job_key"]
        code, (stopping,) = desk("stop", started["job_key"][:12])
        assert (code, stopping["stop"]) == (0, True)

    code, looks = desk("watch", started["job_key"], "--every", "0.2", "--expect", "120")
    assert code == 5, looks
    last = looks[-1]
    assert (last["state"], last["reason"], last["expected"]) == ("parked", "stopped", 120)
    assert 0 < last["count"] < 120
    assert last["guards"]["max_hops"] == 100
    assert last["guards"]["rules"] == {f"default/{deployed.stack.function}_schedule": "on"}

    code, (end,) = desk("resume", started["job_key"], "--wait", "--timeout", SECONDS)
    assert (code, end["state"]) == (0, "complete")
    job.prove(pdf_keys(deployed))
    assert desk("watch", started["job_key"])[0] == 0
    code, (refused,) = desk("resume", started["job_key"])
    assert (code, "is complete" in refused["error"]) == (1, True)
    assert desk("stop", started["job_key"])[1][0]["state"] == "complete"


def test_everything_is_stopped_and_started_again(deployed: Deployed) -> None:
    """The answer holds the command that undoes the stop."""
    events = boto3.client("events", **deployed.emulator.options)
    functions = boto3.client("lambda", **deployed.emulator.options)
    rule = f"{deployed.stack.function}_schedule"

    def state() -> tuple[str, int]:
        reserved = functions.get_function_concurrency(FunctionName=deployed.stack.function)
        return events.describe_rule(Name=rule)["State"], reserved["ReservedConcurrentExecutions"]

    before = state()
    job = Job(deployed)
    with job.held(1) as record:
        code, (stopped,) = desk("stop", "--all", "--now")
        try:
            assert code == 0
            assert state() == ("DISABLED", 0)
            assert record["job_key"] in stopped["jobs_stopping"]
        finally:
            assert desk(*stopped["undo"].split()[1:])[0] == 0
    assert state() == before
    job.wait_for_end("complete")
    job.prove(pdf_keys(deployed))


def test_a_finished_manifest_answers_at_once(deployed: Deployed) -> None:
    """The ledger has it: no sibling works again."""
    job = Job(deployed)
    first = desk("invoke", "--event", event(job), "--wait", "--timeout", SECONDS)[1][0]
    code, (second,) = desk("invoke", "--event", event(job), "--wait", "--timeout", SECONDS)
    assert (code, second["verdict"], second["job_id"]) == (0, "finished", first["job_id"])


def test_a_wrong_field_is_refused_before_anything_runs(deployed: Deployed) -> None:
    """By the function's own allow-list, which the desk reads."""
    code, (refused,) = desk("invoke", "s3://another-bucket/", "--function", deployed.stack.function)
    assert (code, "ALLOWED_BUCKETS" in refused["error"]) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("status", "--function", "nobody"), "no function nobody in region us-east-1"),
        (("status", "--stack", "nothing"), "no stack nothing"),
        (("status", "--table", "none"), "no table none"),
        (("watch", "ffffffffff"), "no job in table"),
        (("verify", f"s3://{stack.BUCKET}/none.jsonl"), "NoSuchKey"),
    ],
)
def test_a_missing_resource_is_named_and_exits_with_4(arguments: tuple[str, ...], why: str) -> None:
    """Function, stack, table, job or manifest."""
    code, (failure,) = desk(*arguments)
    assert (code, why in failure["error"]) == (4, True), failure


def test_the_installed_program_runs(deployed: Deployed, tmp_path: Path) -> None:
    """As pip installs it: with all that it needs, outside the repository."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    source = tmp_path / "source"
    source.mkdir()
    folders = ("cloudformation", "processor", "presign_siblings")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", *folders):
        (source / name).symlink_to(REPOSITORY / name)
    subprocess.run([*pip, "--target", str(tmp_path / "installed"), str(source)], check=True, cwd=tmp_path)
    program = tmp_path / "installed" / "bin" / "presign-siblings"

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
        return subprocess.run(
            [program, *arguments, "--endpoint-url", deployed.emulator.endpoint],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
        )

    ran = call("run", f"s3://{stack.BUCKET}/{stack.PREFIX}", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["count"] == len(pdf_keys(deployed))
    verified = call("verify", "manifest.jsonl", "--all")
    assert (verified.returncode, verified.stdout.count("ok ")) == (0, 5), verified.stderr
