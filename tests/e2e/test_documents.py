"""The guides "deploy" and "operate", followed step by step: each ``sh`` block, as the page has it, in order."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev import sample_objects
from dev.aws import emulator, emulator_gaps, ministack
from dev.checkout import REPOSITORY
from presign_siblings.remote.logs import instant
from tests.e2e.jobs import eventually, logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dev.aws.emulator import Emulator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

FUNCTION, LIVE = "presign_siblings", "presign_siblings:live"
STACK, BUCKET = "presign-siblings", "reports"
OUR_RULES = ["manifests-expire", "checkpoints-expire", "unfinished-uploads-abort", "old-versions-expire"]
# Version 1 of the AWS CLI obeys AWS_ENDPOINT_URL for each service but SQS in us-east-1.
EMULATED = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
INSTALLED = 'presign-siblings() { .venv/bin/python -m presign_siblings "$@"; }\n'  # as pip would install it
# One page per sibling: a chain that a guard can stop.
SIBLINGS = {"Timeout": "10", "ShutdownPeriod": "10", "PageSize": "10"}


def blocks(document: str) -> Iterator[tuple[str, str]]:
    """Yield heading and text of each block of a document that its reader is to run."""
    text = (REPOSITORY / "docs" / "guides" / document).read_text(encoding="utf-8")
    heading = ""
    for match in re.finditer(r"^#+ ([^\n]*)$|^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        heading = match[1] or heading
        if match[2]:
            yield heading, match[2]


class Reader:
    """
    A reader with a shell in the repository, credentials of the emulated account, and the two documents.

    :param folder: Working directory of the shell: the repository is linked into it, and written files stay there.
    """

    def __init__(self, running: Emulator, folder: Path) -> None:
        self.running, self.folder = running, folder
        self.keys: list[str] = []
        self.s3, self.functions = self.client("s3"), self.client("lambda")
        for path in REPOSITORY.iterdir():
            (folder / path.name).symlink_to(path)
        interpreter = subprocess.run(
            [ministack.interpreter(), "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        )
        self._environment = {
            "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(REPOSITORY / ".work" / "cache"),  # packages are built once for all test runs
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": ministack.REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # The emulator runs functions in an interpreter of this machine.
            "ARCH": {"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "RUNTIME": interpreter.stdout.strip(),
        } | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}

    def client(self, service: Any) -> Any:
        """Return a client with the account's own credentials."""
        return boto3.client(service, **self.running.options)

    def run(self, text: str) -> str:
        """Run a block; if it fails, fail the test with its output."""
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", EMULATED + INSTALLED + text],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def lines(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the log lines of an event with the given fields."""
        return logged(self.running, f"/aws/lambda/{FUNCTION}", event, **fields)

    def live(self) -> str:
        """Return the version of the alias."""
        return str(self.functions.get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"])

    def queue(self, name: str) -> str:
        """Return the URL of one of the stack's queues."""
        return str(self.client("sqs").get_queue_url(QueueName=f"{FUNCTION}_{name}")["QueueUrl"])

    def start(self, function: str = LIVE, **event: Any) -> None:
        """Deliver an event asynchronously."""
        self.functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Start an emulated account with a bucket of PDFs in it."""
    with emulator.running() as running:
        started = Reader(running, tmp_path)
        started.s3.create_bucket(Bucket=BUCKET)
        for prefix, count in {"inbox/2025/": 40, "inbox/2026/": 40, "inbox/": 15}.items():
            for item in sample_objects.made(count, prefix):
                started.s3.put_object(Bucket=BUCKET, Key=item.key, Body=item.body)
                started.keys += [item.key] if item.is_pdf else []
        yield started


def _deployed(reader: Reader, text: str, written: str) -> None:
    """Check each block of the first deployment."""
    if "make deploy" in text:
        assert "stack presign-siblings: deployed" in written
        assert reader.live() == "1"
        # The bucket keeps its own rules: a printed command adds ours.
        reader.run(next(line for line in written.splitlines() if line.startswith("aws s3api")))
        assert _rules(reader) == OUR_RULES
        assert "no changes" in reader.run(text)
        assert reader.live() == "1"
        reader.s3.delete_bucket_lifecycle(Bucket=BUCKET)
        emulator_gaps.fill(reader.running, STACK)
    elif "--merge-lifecycle" in text:
        assert "no changes" in written
        assert "lifecycle rules added to s3://reports: manifests-expire" in written
        assert len(_rules(reader)) == len(OUR_RULES)
    else:
        (complete,) = eventually(lambda: reader.lines("complete"))
        assert complete["count"] == 95


def _rules(reader: Reader) -> list[str]:
    return [rule["ID"] for rule in reader.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]]


def _started(reader: Reader, text: str, _: str) -> None:
    """Check each other way to start a job."""
    if "InvocationType" in text or "--invocation-type" in text:
        (line,) = eventually(lambda: [each for each in reader.lines("complete") if each["count"] == 40])
        assert line["manifest_key"].endswith(".gz")
    elif "send-message" in text:
        # Wait for its end: the document's next step, a new version, ends the emulator's workers.
        eventually(lambda: [line for line in reader.lines("complete", count=40) if "message_id" in line])
    else:
        rule = reader.client("events").describe_rule(Name=f"{FUNCTION}_invoices")
        assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "cron(30 3 1 * ? *)")


def _changed(reader: Reader, text: str, written: str) -> None:
    """Check each block of "Change, update, roll back"."""
    settings = reader.functions.get_function_configuration(FunctionName=LIVE)["Environment"]["Variables"]
    if "--tag" in text:
        assert (reader.live(), settings["COMPRESSION"]) == ("2", "gzip")
        tags = reader.client("sqs").list_queue_tags(QueueUrl=reader.queue("jobs"))["Tags"]
        assert {**tags, "team": "reporting", "application": "presign-siblings"} == tags
    else:
        assert [line.split()[0] for line in written.splitlines()[:2]] == ["2", "1"]
        assert (reader.live(), settings["COMPRESSION"]) == ("1", "none")
        reader.functions.invoke(FunctionName=LIVE, Payload=b'{"prefix": "inbox/nothing/"}')
        (line,) = eventually(lambda: reader.lines("complete", count=0))
        assert line["manifest_key"].endswith(".jsonl"), "the older version did not answer"


def _second(reader: Reader, _text: str, written: str) -> None:
    """Check the second stack: its bucket exists, and the first one's function has not changed."""
    assert "s3://archive-manifests/manifests/" in written
    reader.s3.head_bucket(Bucket="archive-manifests")
    assert reader.live() == "1"


def _make_siblings(reader: Reader) -> None:
    """Let each further job need siblings, which are to be operated, and let one event fail."""
    words = " ".join(f"--set {name}={value}" for name, value in SIBLINGS.items())
    reader.run(f"presign-siblings deploy --stack {STACK} --bucket {BUCKET} --code-bucket my-artifacts {words}")
    # By the bare name: the emulator supports no on-failure destination of an alias.
    reader.start(FUNCTION, manifest_prefix="elsewhere/", prefix="inbox/nothing/")
    # Wait now, not where it is needed: a change of the function would end a try, and the next one, which on
    # AWS comes a minute later, would meet the dead holder's lease.
    _given_up(reader)


def _poisoned(reader: Reader) -> None:
    """Put a message among the dead letters, like one that was received five times."""
    message = json.dumps({"prefix": "inbox/2026/", "expiry_seconds": 0, "fresh": True})
    reader.client("sqs").send_message(QueueUrl=reader.queue("dead_letters"), MessageBody=message)


def _given_up(reader: Reader) -> None:
    """Wait until Lambda has given up the event whose manifest the role may not write, and delete others."""
    sqs, url = reader.client("sqs"), reader.queue("failed")

    def given_up() -> list[str]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        prefixes = [json.loads(message["Body"])["requestPayload"].get("manifest_prefix") for message in messages]
        for message, prefix in zip(messages, prefixes, strict=True):
            if prefix != "elsewhere/":
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return prefixes

    eventually(lambda: given_up() == ["elsewhere/"])


def _budget(reader: Reader, _text: str, _written: str) -> None:
    settings = reader.functions.get_function_configuration(FunctionName=LIVE)["Environment"]["Variables"]
    assert settings["MAX_HOPS"] == "200"


def _alarms(reader: Reader, text: str, written: str) -> None:
    if "describe-alarms" in text:
        assert len(written.splitlines()) == 11
    else:
        assert '"event":"complete"' in (reader.folder / "complete.txt").read_text()


def _errors(_reader: Reader, text: str, written: str) -> None:
    """Check that the line has the cause."""
    if '"failed"' in text:
        assert "elsewhere/" in written
        assert "AccessDenied" in written


def _failed_events(_reader: Reader, _text: str, written: str) -> None:
    """Check that the event that was given up is shown with its error, and stays where a replay finds it."""
    assert written.startswith("RetriesExhausted cannot write s3://reports/elsewhere/")
    assert len(written.splitlines()) == 1


def _no_completion(_reader: Reader, _text: str, written: str) -> None:
    assert "ENABLED" in written
    assert '"ReservedConcurrentExecutions": 5' in written


def _parked(reader: Reader, text: str, _written: str) -> None:
    """Check the kill switch: a chain that starts now parks at its first hand-over."""
    if "enable-rule" in text:
        return
    reader.start(prefix="inbox/2025/", fresh=True)
    eventually(lambda: reader.lines("parked", reason="rules_disabled"))


def _stood_still(reader: Reader, text: str, _written: str) -> None:
    """Check that everything is stopped, and later that everything is started again."""
    reserved = reader.functions.get_function_concurrency(FunctionName=FUNCTION)["ReservedConcurrentExecutions"]
    (mapping,) = reader.functions.list_event_source_mappings(FunctionName=LIVE)["EventSourceMappings"]
    stopped = "--no-enabled" in text
    assert (reserved, mapping["State"]) == ((0, "Disabled") if stopped else (5, "Enabled"))


def _begun(reader: Reader) -> None:
    """Start the job that is to be stopped, and wait for its first line."""
    before = len(reader.lines("start", hop=0))
    reader.start(fresh=True)
    eventually(lambda: len(reader.lines("start", hop=0)) > before)


def _job_stopped(reader: Reader, text: str, _written: str) -> None:
    """Check that ``stop`` is set on the record."""
    if "update-item" not in text:
        return
    key = json.loads((reader.folder / "start.json").read_text())["job_key"]
    item = reader.client("dynamodb").get_item(TableName=f"{FUNCTION}_jobs", Key={"job_key": {"S": key}})["Item"]
    assert item["stop"] == {"BOOL": True}
    # It parks at its next page, unless it was at its last one.
    eventually(lambda: reader.lines("parked", reason="stopped") or len(reader.lines("complete", count=95)) > 1)


def _resumed(reader: Reader, _text: str, _written: str) -> None:
    """Check that the parked chain was resumed: it is complete, with each PDF of its prefix."""
    parked = json.loads((reader.folder / "parked.json").read_text())
    (line,) = eventually(lambda: reader.lines("complete", job_id=parked["job_id"]))
    assert line["count"] == sum(key.startswith(parked["resume"]["job"]["prefix"]) for key in reader.keys)


def _replayed(reader: Reader, _text: str, _written: str) -> None:
    """Check that the event was sent again: the function has taken it out of the record."""
    record = json.loads((reader.folder / "record.json").read_text())
    assert record["requestPayload"]["manifest_prefix"] == "elsewhere/"
    sent = datetime.fromtimestamp((reader.folder / "record.json").stat().st_mtime, UTC)
    eventually(lambda: [line for line in reader.lines("failed", terminal=True) if (at := instant(line)) and at > sent])


def _sent_again(reader: Reader, text: str, _written: str) -> None:
    """Check that the corrected message has started its job."""
    if "send-message" not in text:
        return
    eventually(lambda: [line for line in reader.lines("start", prefix="inbox/2026/") if line["hop"] > 0])


DEPLOYING: dict[str, Callable[[Reader, str, str], None]] = {
    "First deployment": _deployed,
    "Other ways to start a job": _started,
    "Change, update, roll back": _changed,
    "A new bucket, a bucket for manifests": _second,
}
BEFORE: dict[str, Callable[[Reader], None]] = {
    "Stop one job": _begun,
    "An event that Lambda has given up": _given_up,
    "A message that failed": _poisoned,
}
OPERATING: dict[str, Callable[[Reader, str, str], None]] = {
    "Dashboard and logs": _alarms,
    "presign_siblings_errors": _errors,
    "presign_siblings_failed_events": _failed_events,
    "presign_siblings_hop_budget": _budget,
    "presign_siblings_no_completion": _no_completion,
    "Every chain, at its next hand-over": _parked,
    "Everything, at once": _stood_still,
    "Stop one job": _job_stopped,
    "Resume": _resumed,
    "An event that Lambda has given up": _replayed,
    "A message that failed": _sent_again,
}


def test_both_guides_can_be_followed_to_the_end(reader: Reader) -> None:
    """A reader who types each line gets a stack and manifests, and recovers from each failure."""
    steps = list(blocks("deploy.md"))
    for heading, text in steps:
        if heading != "Remove":
            _step(reader, heading, text, DEPLOYING)
    _make_siblings(reader)
    headings = set()
    for heading, text in blocks("operate.md"):
        if heading in BEFORE and heading not in headings:
            BEFORE[heading](reader)
        headings.add(heading)
        _step(reader, heading, text, OPERATING)
    for heading, text in steps:
        if heading == "Remove":
            _step(reader, heading, text, {})
    described = reader.client("cloudformation").describe_stacks()["Stacks"]
    assert [each["StackName"] for each in described if each["StackStatus"] != "DELETE_COMPLETE"] == []
    assert {each["Name"] for each in reader.s3.list_buckets()["Buckets"]} >= {BUCKET, "archive-manifests"}


def _step(reader: Reader, heading: str, text: str, checks: dict[str, Callable[[Reader, str, str], None]]) -> None:
    written = reader.run(text)
    if heading in checks:
        checks[heading](reader, text, written)


def test_each_check_of_a_step_has_its_step() -> None:
    """A renamed heading would disable its check unnoticed."""
    for document, checks in {"deploy.md": {*DEPLOYING}, "operate.md": {*BEFORE, *OPERATING}}.items():
        assert checks <= {heading for heading, _ in blocks(document)}
