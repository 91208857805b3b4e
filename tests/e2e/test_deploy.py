"""The deployment, end to end: new code under the alias, siblings that stay on it, roll-back, deletion."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

from dev import sample_objects
from dev.aws import emulator, emulator_gaps, stack
from dev.checkout import PACKAGES
from presign_siblings.deploy import deploy, package, stacks, template
from presign_siblings.errors import NotFoundError
from tests.e2e.jobs import eventually, logged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws.emulator import Emulator
    from dev.aws.stack import Stack

pytestmark = pytest.mark.e2e

LIVE = "presign_siblings:live"


class Account(NamedTuple):
    """An account with the stack in it."""

    running: Emulator
    stack: Stack

    def client(self, service: Any) -> Any:
        """Return a client of the account itself."""
        return boto3.client(service, **self.running.options)

    def deploy(self, **parameters: str) -> bool:
        """Deploy, as the command line does; return whether anything changed."""
        clients = self.client("cloudformation"), self.client("lambda")
        url = deploy.upload_template(self.client("s3"), stack.CODE_BUCKET)
        changed, _ = deploy.deploy(*clients, stack.STACK, parameters, poll=0.1, template_url=url)
        return changed

    def go_live(self, version: str) -> bool:
        """Move the alias, as the command line does; return whether it pointed elsewhere."""
        return deploy.go_live(self.client("cloudformation"), self.client("lambda"), stack.STACK, version, poll=0.1)

    def upload(self, archive: Path) -> str:
        """Upload a package; return its key."""
        return deploy.upload(self.client("s3"), stack.CODE_BUCKET, archive)

    def live(self) -> tuple[str, str]:
        """Return version and code of the alias."""
        found = self.client("lambda").get_function_configuration(FunctionName=LIVE)
        return found["Version"], found["CodeSha256"]

    def lines(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the log lines of an event with the given fields."""
        return logged(self.running, self.stack.logs, event, **fields)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Start the emulator and create the stack, one page per sibling, with PDFs in its bucket."""
    with emulator.running() as running:
        created = stack.create(running, {"Timeout": "10", "ShutdownPeriod": "10", "PageSize": "20"})
        s3 = boto3.client("s3", **running.options)
        for item in sample_objects.made(60, stack.PREFIX):
            s3.put_object(Bucket=stack.BUCKET, Key=item.key, Body=item.body)
        yield Account(running, created)


def _new_code(folder: Path) -> Path:
    """Return the package with one more file: its code differs, and works the same."""
    changed = folder / "changed.zip"
    changed.write_bytes(package.build(stack.host(), PACKAGES).read_bytes())
    with zipfile.ZipFile(changed, "a") as zipped:
        zipped.writestr("processor/newer.py", "")
    return changed


def test_new_code_goes_live_and_an_old_version_can_be_restored(account: Account, tmp_path: Path) -> None:
    """The alias stays when nothing has changed; the older code and the older settings return together."""
    first = account.live()
    assert not account.deploy()
    assert account.live() == first

    assert account.deploy(CodeKey=account.upload(_new_code(tmp_path)), LogRetentionDays="7", Suffix="")
    second = account.live()
    assert second[0] == str(int(first[0]) + 1)
    assert second[1] != first[1]
    assert not account.deploy()

    assert account.go_live(first[0])
    assert account.live() == first
    settings = account.client("lambda").get_function_configuration(FunctionName=LIVE)["Environment"]["Variables"]
    assert settings["SUFFIX"] == ".pdf"
    assert not account.go_live(first[0])
    account.client("lambda").update_alias(FunctionName=account.stack.function, Name="live", FunctionVersion=second[0])
    assert account.go_live(first[0]), "an alias moved by hand was taken for the stack's"
    assert account.live() == first

    assert account.deploy(), "the next deployment left the alias on the older version"
    assert account.live() == second
    assert account.deploy(Suffix=".pdf")


def test_siblings_stay_on_the_alias(account: Account) -> None:
    """To the end of the chain; under the function's bare name a sibling would run code that is not live yet."""
    account.client("lambda").invoke(FunctionName=LIVE, InvocationType="Event", Payload=b'{"fresh": true}')
    (complete,) = eventually(lambda: account.lines("complete", count=60))
    assert complete["hops"] == 4
    version, _ = account.live()
    streams = account.client("logs").describe_log_streams(logGroupName=account.stack.logs)["logStreams"]
    of_chain = {
        stream["logStreamName"]
        for stream in streams
        for event in account.client("logs").get_log_events(
            logGroupName=account.stack.logs, logStreamName=stream["logStreamName"]
        )["events"]
        if complete["job_id"] in event["message"]
    }
    assert of_chain
    assert all(f"[{version}]" in name for name in of_chain), of_chain


def test_rules_of_several_prefixes_pass_on_the_time_of_their_event(account: Account) -> None:
    """Each rule starts the job of its own prefix, with the event's time."""
    events, sqs = account.client("events"), account.client("sqs")
    copies = sqs.create_queue(QueueName="copies")["QueueUrl"]
    copied = sqs.get_queue_attributes(QueueUrl=copies, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    prefixes = {name: f"inbox/{name}/{{yyyy}}/{{mm}}/" for name in ("invoices", "letters")}
    for name, prefix in prefixes.items():
        _further_prefix(account, name, prefix)
        rule = f"presign_siblings_{name}"
        (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
        assert target["Arn"] == account.stack.live
        # Without a wait for the schedule: an event reaches the same targets, and a queue gets a copy.
        events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["test"]}))
        copy = {"Id": "copy", "Arn": copied, "InputTransformer": target["InputTransformer"]}
        events.put_targets(Rule=rule, Targets=[copy])
    began = datetime.now(UTC).replace(microsecond=0)
    events.put_events(Entries=[{"Source": "test", "DetailType": "Scheduled Event", "Detail": "{}"}])

    received: dict[str, datetime] = {}
    while received.keys() != set(prefixes.values()):
        for message in eventually(lambda: sqs.receive_message(QueueUrl=copies).get("Messages")):
            job = json.loads(message["Body"])
            assert job.keys() == {"prefix", "time"}
            received[job["prefix"]] = datetime.fromisoformat(job["time"])
    for prefix, instant in received.items():
        assert began <= instant <= datetime.now(UTC)
        listed = prefix.format(yyyy=f"{instant:%Y}", mm=f"{instant:%m}")
        assert eventually(partial(account.lines, "start", prefix=listed, hop=0))


def _further_prefix(account: Account, name: str, prefix: str) -> None:
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=template.TEMPLATE.with_name("presign-siblings-prefix.yaml").read_text(encoding="utf-8"),
        Parameters=[
            {"ParameterKey": "Name", "ParameterValue": name},
            {"ParameterKey": "Prefix", "ParameterValue": prefix},
        ],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def test_a_visibility_timeout_that_is_too_short_is_refused_before_anything_changes(account: Account) -> None:
    """A message would be delivered again while its job is at work."""
    with pytest.raises(stacks.DeployError, match="QueueVisibilitySeconds is 59: it must be at least 60"):
        account.deploy(QueueVisibilitySeconds="59")


def test_a_failed_change_names_the_resource_and_leaves_the_stack_working(account: Account) -> None:
    """CloudFormation rolls it back; the alias has not moved."""
    before = account.live()
    with pytest.raises(stacks.DeployError, match="LambdaPresignSiblings"):
        account.deploy(CodeKey="no/such/package.zip")
    assert account.live() == before


def test_tags_reach_the_stacks_resources_and_stay(account: Account) -> None:
    """Costs are attributed by the tags of each resource; a later deployment without tags removes none."""
    functions = account.client("lambda")
    arn = functions.get_function(FunctionName="presign_siblings")["Configuration"]["FunctionArn"]
    assert functions.list_tags(Resource=arn)["Tags"]["application"] == "presign-siblings"
    account.deploy(LogRetentionDays="30")
    assert functions.list_tags(Resource=arn)["Tags"]["application"] == "presign-siblings"


def test_a_deleted_stack_leaves_the_bucket_alone() -> None:
    """The stack can be created again under the same names at once."""
    with emulator.running() as running:
        created = stack.create(running, {})
        s3, cloudformation = boto3.client("s3", **running.options), boto3.client("cloudformation", **running.options)
        s3.put_object(Bucket=stack.BUCKET, Key="manifests/x", Body=b"x")
        stacks.delete(cloudformation, stack.STACK, poll=0.1)
        assert s3.get_object(Bucket=stack.BUCKET, Key="manifests/x")["Body"].read() == b"x"
        functions = boto3.client("lambda", **running.options)
        assert functions.list_functions()["Functions"] == []
        with pytest.raises(NotFoundError, match="there is no stack"):
            stacks.delete(cloudformation, stack.STACK, poll=0.1)
        again = stack.update(running, {"BucketName": stack.BUCKET, "CodeBucket": stack.CODE_BUCKET, **_code(s3)})
        assert again["FunctionName"] == created.function
        emulator_gaps.fill(running, stack.STACK)


def _code(s3: Any) -> dict[str, str]:
    return {"CodeKey": deploy.upload(s3, stack.CODE_BUCKET, package.build(stack.host(), PACKAGES))}
