"""Nights of the guide for operators: what the tool reports after an alarm, and the command that ends it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from operator import ge, gt, lt
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from tests.e2e.jobs import Job, eventually, pdf_keys
from tests.stack_template import resolver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("account")]

WAIT = ("--wait", "--timeout", "120")
COMPARES: dict[str, Any] = {"GreaterThanThreshold": gt, "GreaterThanOrEqualToThreshold": ge, "LessThanThreshold": lt}
STATISTICS: dict[str, Any] = {"Sum": sum, "Maximum": partial(max, default=0.0)}


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


@contextmanager
def denied(deployed: Deployed, action: str, resource: str = "*") -> Iterator[None]:
    """Deny the role one action, as a service control policy or a permissions boundary does."""
    iam, role = boto3.client("iam", **deployed.emulator.options), deployed.stack.role.rpartition("/")[2]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": resource}]}
    iam.put_role_policy(RoleName=role, PolicyName="Night", PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="Night")


def values(measured: list[dict[str, Any]], alarm: Any) -> list[float]:
    """Return the values that CloudWatch takes out of printed metrics for an alarm's metric: its name and dimension."""
    (dimension,) = alarm["Dimensions"]
    return [
        each[alarm["MetricName"]][0]
        for each in measured
        for directive in each["_aws"]["CloudWatchMetrics"]
        if directive["Namespace"] == alarm["Namespace"]
        and [dimension["Name"]] in directive["Dimensions"]
        and each[dimension["Name"]] == dimension["Value"]
        and alarm["MetricName"] in {metric["Name"] for metric in directive["Metrics"]}
    ]


def ringing(job: Job) -> set[str]:
    """Return which of the template's alarms on the function's own metrics ring, by what it has printed for the job."""
    found = [alarm for _, alarm in resolver().resources("AWS::CloudWatch::Alarm")]  # the emulator drops the statistic
    alarms = [resolver().resolve(alarm) for alarm in found if alarm["Namespace"] == {"Ref": "MetricsNamespace"}]
    assert len(alarms) == 7
    measured = [json.loads(line) for line in job.messages() if line.startswith("{") and '"_aws"' in line]
    return {
        alarm["AlarmName"].removeprefix(f"{job.deployed.stack.function}_")
        for alarm in alarms
        if COMPARES[alarm["ComparisonOperator"]](
            STATISTICS[alarm["Statistic"]](values(measured, alarm)), alarm["Threshold"]
        )
    }


class Denial(NamedTuple):
    """A right that is denied, and what the operator sees: the job's state, the alarms, and the line with the reason."""

    action: str
    resource: str
    state: str
    rings: set[str]
    event: str


DENIALS = [
    Denial("s3:PutObject", "arn:aws:s3:::reports/*.jsonl", "failed", set(), "failed"),
    Denial("lambda:InvokeFunction", "*", "parked", {"parked"}, "sibling_not_accepted"),
    Denial("events:DescribeRule", "*", "parked", {"parked"}, "guard"),
]


@pytest.mark.parametrize("night", DENIALS, ids=lambda night: night.action)
def test_a_right_that_is_denied_in_mid_chain_is_named_and_a_resume_loses_nothing(
    deployed: Deployed, night: Denial
) -> None:
    """The line has AWS's own words; the alarms are those of the guide, and none rings for the job that was resumed."""
    job = Job(deployed)
    with ExitStack() as until_morning:
        with job.held(2):
            until_morning.enter_context(denied(deployed, night.action, night.resource))
        record = job.wait_for_end(night.state)
        lines = eventually(lambda: [each["reason"] for each in job.lines() if each["event"] == night.event])
        assert f"not authorized to perform: {night.action}" in lines[0]
        assert eventually(lambda: night.rings <= ringing(job))
        assert ringing(job) <= night.rings | {"no_completion"}  # another job of the function may have completed
    code, text = tool("resume", record["job_key"], *WAIT)
    assert (code, "complete: job" in text) == (0, True), text
    job.prove(pdf_keys(deployed))
    eventually(lambda: "no_completion" not in ringing(job))
    assert ringing(job) == night.rings


def test_no_alarm_rings_for_a_healthy_chain(deployed: Deployed) -> None:
    """Of several hops."""
    job = Job(deployed)
    assert invoked(job)[0] == 0
    eventually(lambda: "no_completion" not in ringing(job))
    assert ringing(job) == set()


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
