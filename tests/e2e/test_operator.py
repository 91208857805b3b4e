"""A role with only the operator's policy can run the desk commands that the guide names; IAM is enforced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from click.testing import CliRunner

from dev.aws import ministack, stack
from dev.checkout import REPOSITORY
from presign_siblings.cli.main import main
from tests.e2e.jobs import Job

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

POLICY = REPOSITORY / "docs" / "reference" / "operator-policy.json"


@pytest.fixture(autouse=True)
def operator(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as the operator, a role with only the policy."""
    iam, root = boto3.client("iam", **deployed.emulator.options), f"arn:aws:iam::{ministack.ACCOUNT}:root"
    trust = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="operator", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    # MiniStack names the default bus in a rule's ARN; AWS does not.
    granted = POLICY.read_text(encoding="utf-8").replace("ACCOUNT", ministack.ACCOUNT).replace("rule/", "rule/default/")
    iam.put_role_policy(RoleName="operator", PolicyName="operator", PolicyDocument=granted)
    session: Any = boto3.client("sts", **deployed.emulator.options).assume_role(RoleArn=role, RoleSessionName="night")
    keys = session["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
    monkeypatch.setenv("AWS_REGION", ministack.REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.emulator.endpoint)


def desk(*arguments: str) -> tuple[int, Any]:
    """Call a command; return its exit code and its last line."""
    result = CliRunner().invoke(main, [*arguments, "--json"])
    return result.exit_code, json.loads((result.stdout or result.stderr).splitlines()[-1])


def test_the_operator_can_start_watch_stop_and_resume(deployed: Deployed) -> None:
    """Each command of the guide, and each switch of the function."""
    job = Job(deployed)
    with deployed.emulator.holding("hop-1"):
        code, started = desk("invoke", "--event", json.dumps(job.event), "--stack", stack.STACK)
        assert code == 0, started
        key = job.wait_for_hop(1)["job_key"]
        assert desk("status")[0] == 0
        code, stopped = desk("stop", "--all", "--now")
        try:
            assert (code, stopped.get("refused"), key in stopped["jobs_stopping"]) == (0, {}, True), stopped
            assert (len(stopped["rules_disabled"]), len(stopped["mappings_disabled"])) == (1, 1)
        finally:
            code, undone = desk("stop", "--all", "--undo")
        assert (code, undone["refused"]) == (0, {})
        assert desk("stop", key)[0] == 0
    code, last = desk("watch", key, "--every", "0.2")
    assert (code, last["reason"], len(last["guards"]["rules"])) == (5, "stopped", 1)
    code, end = desk("resume", key, "--wait", "--timeout", "120")
    assert (code, end.get("state")) == (0, "complete"), end
