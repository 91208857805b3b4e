"""``stop --all`` and its undo, in any order and however often."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from rich.live import Live

from presign_siblings.cli.main import main
from presign_siblings.errors import NotFoundError
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.stopped import Stopped, StopRecord
from processor.ledger import RUNNING
from tests.builders import record_of, run_of
from tests.jobs_table import claim, ledger_of, rewritten_by_a_newer_release
from tests.stack_template import RESOURCES

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

pytestmark = pytest.mark.no_cover  # whole jobs, again and again, of lines that other tests run, too
SECONDS = 60.0  # the longest wait until the screen is drawn, on a busy machine
ROLE = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


@dataclass
class Function:
    """A function with an enabled rule, a disabled one, and a queue."""

    name: str
    rule: str
    off: str
    mapping: str

    def state(self) -> tuple[str, str, bool, int | None]:
        """Return both rules, the queue, and the reserved concurrency."""
        events, functions = boto3.client("events"), boto3.client("lambda")
        rules = [events.describe_rule(Name=name)["State"] for name in (self.rule, self.off)]
        mapping = functions.get_event_source_mapping(UUID=self.mapping)["State"]
        reserved = functions.get_function_concurrency(FunctionName=self.name).get("ReservedConcurrentExecutions")
        return rules[0], rules[1], mapping in {"Enabled", "Enabling"}, reserved

    def stop(self, *options: str) -> tuple[int, dict[str, Any]]:
        """Call the command; return its exit code and its result."""
        result = CliRunner().invoke(main, ["stop", "--all", *options, "--function", self.name, "--json"])
        return result.exit_code, json.loads(result.stdout or result.stderr)


def created(table: Table | None) -> Function:
    """Create a function."""
    name = f"presign_{uuid.uuid4().hex[:12]}"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "")
    role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ROLE))["Role"]["Arn"]
    variables = {"SOSW_CONFIG": "none", **({} if table is None else {"JOBS_TABLE": table.name})}
    arn = boto3.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": variables},
    )["FunctionArn"]
    events = boto3.client("events")
    for rule, state in ((f"{name}_on", "ENABLED"), (f"{name}_off", "DISABLED")):
        events.put_rule(Name=rule, ScheduleExpression="rate(1 day)", State=state)  # type: ignore[arg-type]
        events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    queues = boto3.client("sqs")
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    queue = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = boto3.client("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=queue)["UUID"]
    return Function(name, f"{name}_on", f"{name}_off", mapping)


@pytest.fixture(autouse=True)
def account(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point each client at the server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def function(table: Table) -> Function:
    """Create a function with a jobs table."""
    return created(table)


BEFORE, STOPPED, NOTHING_STARTS = (
    ("ENABLED", "DISABLED", True, None),
    ("DISABLED", "DISABLED", False, None),
    ("DISABLED", "DISABLED", False, 0),
)


def under_way(table: Table, prefix: str) -> str:
    """Begin a job; return its job key."""

    async def work() -> str:
        async with ledger_of(table) as ledger:
            found = await ledger.claim(claim("a", run_of(prefix=prefix), now=datetime.now(UTC)))
            return found.record.job_key

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("stops", "then"),
    [
        ([["--now"]], NOTHING_STARTS),
        ([[]], STOPPED),
        ([[], ["--now"]], NOTHING_STARTS),
        ([["--now"], [], ["--now"]], NOTHING_STARTS),
    ],
)
def test_an_undo_restores_the_state_before_the_first_of_several_stops(
    function: Function, stops: list[list[str]], then: tuple[Any, ...]
) -> None:
    """The rule that was disabled stays so; a stopped queue delivers nothing, so no message loses a try."""
    assert function.state() == BEFORE
    for options in stops:
        code, result = function.stop(*options)
        assert (code, result["undo"]) == (0, f"presign-siblings stop --all --undo --function {function.name}")
    assert function.state() == then
    code, result = function.stop("--undo")
    assert (code, result["rules_enabled"], result["mappings_enabled"]) == (
        0,
        [f"default/{function.rule}"],
        [function.mapping],
    )
    assert function.state() == BEFORE


def test_a_job_of_a_newer_release_is_stopped_like_any_other(function: Function, table: Table) -> None:
    """After a roll-back the command failed at the first record that it could not read, and had stopped nothing."""
    jobs = sorted(under_way(table, prefix) for prefix in ("in/", "other/"))
    rewritten_by_a_newer_release(table, jobs[0])
    code, result = function.stop()
    assert (code, result["jobs_stopping"], function.state()) == (0, jobs, STOPPED)
    assert [table.get_item(Key={"job_key": job})["Item"]["stop"] for job in jobs] == [True, True]
    assert function.stop("--undo")[1]["jobs_continuing"] == jobs


@pytest.mark.parametrize("options", [(), ("--now",)])
def test_a_dry_run_reports_what_a_stop_and_its_undo_would_change_and_changes_nothing(
    function: Function, table: Table, options: tuple[str, ...]
) -> None:
    """The answer is the same, and the state stays."""
    job = under_way(table, "in/")
    code, dry = function.stop(*options, "--dry-run")
    assert (code, dry.pop("dry_run"), function.state()) == (0, True, BEFORE)
    assert function.stop("--undo")[0] == 4
    _, real = function.stop(*options)
    assert dry == real
    assert real["jobs_stopping"] == [job]
    stopped = function.state()
    _, dry = function.stop("--undo", "--dry-run")
    assert (dry.pop("dry_run"), function.state()) == (True, stopped)
    assert dry == function.stop("--undo")[1]


def test_an_undo_without_a_record_shows_the_state_and_changes_nothing(function: Function) -> None:
    """A second undo, or one without a stop."""
    function.stop("--now")
    function.stop("--undo")
    boto3.client("lambda").put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=7)
    code, result = function.stop("--undo")
    assert code == 4
    assert f"default/{function.rule} is on" in result["error"]
    assert f"default/{function.off} is off" in result["error"]
    assert "reserved concurrency: 7" in result["error"]
    assert function.state() == (*BEFORE[:3], 7)


def test_an_undo_continues_past_a_rule_that_was_deleted(function: Function) -> None:
    """The answer names it under `gone`."""
    function.stop("--now")
    events = boto3.client("events")
    events.remove_targets(Rule=function.rule, Ids=["1"])
    events.delete_rule(Name=function.rule)
    code, result = function.stop("--undo")
    assert (code, result["gone"], result["reserved_concurrency"]) == (0, [f"default/{function.rule}"], "none")


def test_a_job_that_was_stopped_before_stays_stopped(function: Function, table: Table) -> None:
    """An undo restores only what its own stop had stopped."""
    alone, other = under_way(table, "a/"), under_way(table, "b/")
    assert CliRunner().invoke(main, ["stop", alone, "--function", function.name]).exit_code == 0
    assert function.stop()[1]["jobs_stopping"] == sorted([alone, other])
    assert function.stop("--undo")[1]["jobs_continuing"] == [other]
    assert CliRunner().invoke(main, ["status", "--table", table.name, "--json"]).exit_code == 0


def test_tens_of_thousands_of_jobs_can_be_stopped(function: Function, table: Table) -> None:
    """A DynamoDB item holds the keys of 12,000; with more the command stopped nothing at all."""
    jobs = frozenset(f"{number * 7919:032x}"[::-1] for number in range(14_000))
    record = StopRecord(boto3.client("dynamodb"), table.name, function.name)
    record.add(Stopped(jobs=jobs, concurrency="7"))
    assert record.read() == Stopped(jobs=jobs, concurrency="7")
    assert CliRunner().invoke(main, ["status", "--table", table.name, "--json"]).stdout == "[]\n"
    record.forget()
    assert (record.read(), table.scan()["Count"]) == (None, 0)


def test_the_terminal_shows_some_of_many_jobs(function: Function, table: Table) -> None:
    """The JSON has all of them."""
    record = record_of(RUNNING).to_item()
    for number in range(23):
        table.put_item(Item=record | {"job_key": f"{number:032x}"})
    done = CliRunner().invoke(main, ["stop", "--all", "--function", function.name])
    assert f"23 jobs park at their next page: {0:032x}, " in done.stdout
    assert f", {19:032x}, and 3 more; --json has all\n" in done.stdout


def killed(*_: object) -> None:
    """End as a killed process does."""
    raise SystemError


def test_a_stop_that_was_killed_can_be_undone(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is written before any change."""
    with monkeypatch.context() as patched:
        patched.setattr("presign_siblings.remote.switches.reserve", killed)
        CliRunner().invoke(main, ["stop", "--all", "--now", "--function", function.name], catch_exceptions=True)
    assert function.state() == STOPPED
    assert function.stop("--undo")[0] == 0
    assert function.state() == BEFORE


def test_a_stop_says_how_long_messages_wait(function: Function) -> None:
    """After that they are lost, and no alarm rings before: it would come days too late."""
    result = CliRunner().invoke(main, ["stop", "--all", "--dry-run", "--function", function.name])
    assert result.exit_code == 0
    assert f"{RESOURCES['JobsQueue']['Properties']['MessageRetentionPeriod'] // 86400} days" in result.stdout


def test_a_stop_with_now_and_its_undo_say_where_events_are_kept(function: Function) -> None:
    """With a reserved concurrency of 0, Lambda tries no event and keeps none waiting."""

    def printed(*options: str) -> str:
        return CliRunner().invoke(main, ["stop", "--all", *options, "--function", function.name]).stdout

    assert "on-failure queue" not in printed() + printed("--undo")
    assert "events that arrive now go to the on-failure queue at once" in printed("--now")
    undone = printed("--undo")
    assert "events that arrived during the stop are in the on-failure queue: replay those of" in undone
    assert "resume continues" in undone


def refused(*_: object, **__: object) -> None:
    """Answer as AWS does without the right, or while a queue's mapping changes."""
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DisableRule")


def test_one_refusal_does_not_keep_a_stop_or_its_undo_from_the_rest(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rule that could not be changed kept the function running, and at the undo its concurrency at 0."""
    with monkeypatch.context() as patched:
        patched.setattr("presign_siblings.remote.switches.turn", refused)
        code, result = function.stop("--now")
        assert (code, function.state()) == (1, ("ENABLED", "DISABLED", False, 0))
        assert (result["rules_disabled"], result["mappings_disabled"]) == ([], [function.mapping])
        assert "DisableRule" in result["refused"][f"default/{function.rule}"]
    assert (function.stop("--now")[0], function.state()) == (0, NOTHING_STARTS)
    with monkeypatch.context() as patched:
        patched.setattr("presign_siblings.remote.switches.turn", refused)
        undone = CliRunner().invoke(main, ["stop", "--all", "--undo", "--function", function.name])
        assert (undone.exit_code, function.state()) == (1, ("DISABLED", "DISABLED", True, None))
        assert f"NOT DONE: default/{function.rule}: AWS refused DisableRule" in undone.stdout
    assert (function.stop("--undo")[0], function.state()) == (0, BEFORE)


@pytest.mark.parametrize(
    ("read", "named", "after"),
    [
        ("kill_switch.state_of", "default/{0.rule}", ("ENABLED", "DISABLED", False, 0)),
        ("_rules", "rules", ("ENABLED", "DISABLED", False, 0)),
        ("_mappings", "mappings", ("DISABLED", "DISABLED", True, 0)),
        ("reserved", "reserved concurrency", ("DISABLED", "DISABLED", False, None)),
    ],
)
def test_a_stop_continues_past_a_switch_that_may_not_be_read(
    function: Function, monkeypatch: pytest.MonkeyPatch, read: str, named: str, after: tuple[object, ...]
) -> None:
    """Without the right to DescribeRule, or without it on one rule, nothing was stopped, not even a job."""
    with monkeypatch.context() as patched:
        patched.setattr(f"presign_siblings.remote.switches.{read}", refused)
        code, result = function.stop("--now")
        assert (code, function.state()) == (1, after)
        assert "DisableRule" in result["refused"][named.format(function)]
        assert result["reserved_concurrency"]["now"] == after[3]
    assert (function.stop("--now")[0], function.state()) == (0, NOTHING_STARTS)
    assert (function.stop("--undo")[0], function.state()) == (0, BEFORE)


def test_a_stop_does_not_need_a_usable_jobs_table(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its KMS key disabled nothing was stopped. The answer holds the undo in full, as without a table."""
    for method in ("jobs.Jobs._scan", "jobs.Jobs.get", "stopped.StopRecord._add", "stopped.StopRecord.read"):
        monkeypatch.setattr(f"presign_siblings.remote.{method}", refused)
    code, result = function.stop("--now")
    assert (code, function.state()) == (1, NOTHING_STARTS)
    assert {"jobs", "record for the undoing"} <= {*result["refused"]}
    options = ["--rule", f"default/{function.rule}", "--mapping", function.mapping, "--concurrency", "none"]
    assert result["undo"].split()[6:] == options
    code, result = function.stop("--undo")
    assert (code, "nothing is restored: the jobs table" in result["error"]) == (1, True)
    code, result = function.stop("--undo", *options)
    assert (code, function.state()) == (1, BEFORE)
    assert "record for the undoing" in result["refused"]


def test_a_stop_continues_when_its_table_is_deleted(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack is deleted at the same time."""

    def gone(*_: Any, **__: Any) -> Any:
        raise NotFoundError("no table presign_jobs in region eu-west-1")

    monkeypatch.setattr("presign_siblings.remote.jobs.Jobs._scan", gone)
    code, result = function.stop("--now")
    assert (code, function.state()) == (1, NOTHING_STARTS)
    assert result["refused"] == {"jobs": "no table presign_jobs in region eu-west-1"}


def test_an_undo_restores_the_concurrency_before_the_last_stop(function: Function) -> None:
    """An earlier stop had been undone by hand, and the concurrency raised since."""
    functions = boto3.client("lambda")
    functions.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=5)
    function.stop("--now")
    functions.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=20)
    function.stop("--now")
    code, result = function.stop("--undo")
    assert (code, result["reserved_concurrency"], function.state()) == (0, "20", (*BEFORE[:3], 20))


def test_an_undo_reports_a_concurrency_of_0_that_it_did_not_set(function: Function) -> None:
    """It was set by hand before the stop: everything was restored, and nothing started."""
    functions = boto3.client("lambda")
    functions.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    function.stop("--now")
    result = CliRunner().invoke(main, ["stop", "--all", "--undo", "--function", function.name])
    assert (result.exit_code, function.state()) == (0, (*BEFORE[:3], 0))
    assert "reserved concurrency: 0; nothing starts: --undo --concurrency changes that" in result.stdout
    assert function.stop("--undo", "--concurrency", "7")[0] == 0
    assert function.state() == (*BEFORE[:3], 7)


@pytest.mark.parametrize("table_is_gone", [False, True])
def test_without_a_table_the_undo_command_names_everything(table: Table, table_is_gone: bool) -> None:  # noqa: FBT001
    """No record can be kept. Where the table was deleted, nothing was stopped, and the queue stayed off."""
    function = created(table if table_is_gone else None)
    if table_is_gone:
        table.delete()
    code, result = function.stop("--now")
    assert (code, function.state()) == (0, NOTHING_STARTS)
    expected = ["--rule", f"default/{function.rule}", "--mapping", function.mapping, "--concurrency", "none"]
    assert result["undo"].split()[6:] == expected
    code, result = function.stop("--undo")
    assert (code, "nothing is recorded as stopped" in result["error"]) == (4, True)
    assert (f"no table {table.name} in region" in result["error"]) is table_is_gone
    assert function.stop("--undo", *expected)[0] == 0
    assert function.state() == BEFORE


def test_a_terminal_shows_how_many_jobs_are_asked(
    function: Function, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are asked one after another: thousands took minutes without a word."""
    record = record_of(RUNNING).to_item()
    for number in range(3):
        table.put_item(Item=record | {"job_key": f"{number:032x}"})
    asked, refresh, is_drawn = Jobs.ask, Live.refresh, threading.Event()

    def drawn(live: Live) -> None:
        refresh(live)
        is_drawn.set()

    def after_the_screen(jobs: Jobs, job_key: str, *, stop: bool) -> Any:
        for _ in range(2):  # the first drawing may have begun before
            is_drawn.clear()
            assert is_drawn.wait(SECONDS)
        return asked(jobs, job_key, stop=stop)

    with monkeypatch.context() as terminal:
        terminal.setattr(Live, "refresh", drawn)
        terminal.setattr(Jobs, "ask", after_the_screen)
        terminal.setenv("FORCE_COLOR", "1")
        done = CliRunner().invoke(main, ["stop", "--all", "--function", function.name])
    assert "2 of 3 jobs asked" in done.stderr
    assert CliRunner().invoke(main, ["stop", "--all", "--undo", "--function", function.name]).stderr == ""


def test_an_undo_that_may_not_look_at_the_concurrency_is_done(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop had left the concurrency alone; the record is gone, so nothing is to be called again."""
    function.stop()
    with monkeypatch.context() as patched:
        patched.setattr("presign_siblings.remote.switches.reserved", refused)
        code, result = function.stop("--undo")
    assert (code, result["refused"], result["reserved_concurrency"], function.state()) == (0, {}, None, BEFORE)
