"""
SiblingsManager of sosw and ours, which overrides it, get the same calls on one account.

Each test shows a case that sosw 0.7.51 gets wrong, and the right answer. When its part fails, sosw has fixed the case.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from sosw.components.siblings import SiblingsManager as Sosw

from processor.siblings.manager import SiblingsManager
from tests.fakes import LambdaContext, Siblings, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE = "rate(1 day)"
OTHERS = 300  # rules of other teams, as many as a bus may have


class Account(NamedTuple):
    """
    A function with an account of its own, and both components on it.

    :param arn:   The function's, without a qualifier.
    :param calls: Operations that were called on AWS, in order.
    """

    arn: str
    context: LambdaContext
    ours: SiblingsManager
    theirs: Sosw
    calls: list[str]
    siblings: Siblings

    def rule(self, name: str, *, target: str, bus: str = "default", state: Any = "ENABLED") -> None:
        """Create a rule that targets the function."""
        events = boto3.client("events")
        when: Any = {"ScheduleExpression": RATE} if bus == "default" else {"EventPattern": '{"source": ["shop"]}'}
        events.put_rule(Name=name, EventBusName=bus, State=state, **when)
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": target}])

    def asked(self, call: Callable[[], Any]) -> list[str]:
        """Return the operations that a call makes on AWS."""
        self.calls.clear()
        call()
        return list(self.calls)


@pytest.fixture
def account(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Create both components on the server, in an account and on an alias that no other test has."""
    assert aws
    number = f"{uuid.uuid4().int % 10**12:012}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _access_key(number))
    boto3.setup_default_session()
    monkeypatch.setattr(Sosw, "get_config", staticmethod(lambda _: {}))
    arn = f"arn:aws:lambda:eu-west-1:{number}:function:presign"
    ours, theirs, calls, siblings = SiblingsManager(), Sosw(), list[str](), Siblings()
    for component in (ours, theirs):
        for client in (component.events_client, component.cloudwatch_client):
            client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
        component.lambda_client = siblings
    yield Account(arn, LambdaContext(invoked_function_arn=arn), ours, theirs, calls, siblings)
    boto3.setup_default_session()


def _access_key(number: str) -> str:
    """Return the access key of a role in an account of moto."""
    role = f"arn:aws:iam::{number}:role/test"
    boto3.setup_default_session()  # the last session keeps the credentials that it has read
    answer = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
    return str(answer["Credentials"]["AccessKeyId"])


def test_sosw_misses_a_rule_that_comes_after_its_first_page(account: Account) -> None:
    """It reads one page of the account's 300 rules; ours asks for the function's own."""
    events = boto3.client("events")
    for number in range(OTHERS - 1):
        events.put_rule(Name=f"other-{number:03}", ScheduleExpression=RATE)
    account.rule("presign-nightly", target=account.arn)
    assert account.theirs.any_events_rules_enabled(account.context) is False
    assert account.ours.any_events_rules_enabled(account.context) is True


def test_sosw_makes_a_request_for_each_rule_of_the_account_and_ours_only_for_its_own(account: Account) -> None:
    """The throttling that sosw's manual warns of; at a later hand-over ours knows the names and makes one request."""
    events = boto3.client("events")
    for number in range(40):
        events.put_rule(Name=f"a-{number:03}", ScheduleExpression=RATE)
    account.rule("presign-nightly", target=account.arn)
    theirs = account.asked(lambda: account.theirs.any_events_rules_enabled(account.context))
    first = account.asked(lambda: account.ours.any_events_rules_enabled(account.context))
    later = account.asked(lambda: account.ours.any_events_rules_enabled(account.context, ("default/presign-nightly",)))
    assert theirs == ["ListRules"] + ["ListTargetsByRule"] * 41
    assert first == ["ListRuleNamesByTarget"] * 2 + ["DescribeRule"]
    assert later == ["DescribeRule"]


@pytest.mark.parametrize(("target", "invoked"), [("", ":live"), (":live", ""), ("", ":7"), (":7", ":live")])
def test_sosw_finds_no_rule_under_an_alias_or_a_version(
    account: Account, monkeypatch: pytest.MonkeyPatch, target: str, invoked: str
) -> None:
    """It compares the invoked ARN literally: the chain that the rule starts stops at its first hop."""
    monkeypatch.setenv("LIVE_ALIAS", "live")
    account.rule("nightly", target=f"{account.arn}{target}")
    context = LambdaContext(invoked_function_arn=f"{account.arn}{invoked}", function_version="7")
    assert account.theirs.any_events_rules_enabled(context) is False
    assert account.ours.any_events_rules_enabled(context) is True


def test_sosw_finds_rules_only_on_the_default_bus(account: Account) -> None:
    """Ours asks the buses that the config names."""
    boto3.client("events").create_event_bus(Name="orders")
    account.rule("ordered", target=account.arn, bus="orders")
    assert account.theirs.any_events_rules_enabled(account.context) is False
    ours = SiblingsManager(custom_config={"event_buses": "default,orders", "auto_spawning": False})
    assert ours.any_events_rules_enabled(account.context) is True


def test_sosw_takes_a_rule_for_cloudtrail_events_for_disabled(account: Account) -> None:
    """EventBridge has two states for enabled."""
    account.rule("trail", target=account.arn, state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    assert account.theirs.any_events_rules_enabled(account.context) is False
    assert account.ours.any_events_rules_enabled(account.context) is True


def test_sosw_cannot_be_switched_off_by_its_rules_under_auto_spawning(account: Account) -> None:
    """``auto_spawning`` overrules rules that an operator disabled; ours uses it only where there are no rules."""
    account.rule("nightly", target=account.arn, state="DISABLED")
    theirs = Sosw(custom_config={"auto_spawning": True})
    assert theirs.any_events_rules_enabled(account.context) is True
    ours = SiblingsManager(custom_config={"auto_spawning": True})
    assert ours.any_events_rules_enabled(account.context) is False


@pytest.mark.parametrize(("state", "continues"), [("ENABLED", True), ("DISABLED", False)])
def test_sosw_ignores_schedules_of_eventbridge_scheduler(account: Account, state: Any, *, continues: bool) -> None:
    """A function that only Scheduler starts never gets a sibling from sosw; ours checks the schedules it is given."""
    boto3.client("scheduler").create_schedule(
        Name="nightly",
        ScheduleExpression=RATE,
        State=state,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": account.arn, "RoleArn": "arn:aws:iam::123456789012:role/scheduler"},
    )
    assert account.theirs.any_events_rules_enabled(account.context) is False
    ours = SiblingsManager(custom_config={"schedules": "nightly"})
    assert ours.any_events_rules_enabled(account.context) is continues


def test_sosw_returns_the_same_whether_it_spawned_a_sibling_or_not(account: Account) -> None:
    """``None`` both times: without a rule the work is silently lost."""
    assert account.theirs.spawn_sibling(account.context, {}) is None
    assert account.siblings.requests == []
    account.rule("nightly", target=account.arn)
    assert account.theirs.spawn_sibling(account.context, {}) is None
    assert len(account.siblings.requests) == 1
    assert account.ours.spawn_sibling(account.context, {}) is True
    ours: Any = SiblingsManager(custom_config={"events_rules": "gone", "auto_spawning": False})
    ours.lambda_client = account.siblings
    assert ours.spawn_sibling(account.context, {}) is False


def test_sosw_continues_a_chain_of_an_alias_with_latest(account: Account) -> None:
    """A deployment in mid-chain changes the code of the next hops."""
    context = LambdaContext(invoked_function_arn=f"{account.arn}:live")
    account.theirs.spawn_sibling(context, {}, force=True)
    account.ours.spawn_sibling(context, {}, force=True)
    theirs, ours = account.siblings.requests
    assert (theirs["FunctionName"], theirs.get("Qualifier")) == ("presign", None)
    assert (ours["FunctionName"], ours["Qualifier"]) == (account.arn, "live")


def test_sosw_does_not_count_invocations_that_still_run(account: Account) -> None:
    """Lambda writes Duration when an invocation ends: forty that have run for ten minutes count as 0."""
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "ConcurrentExecutions",
                "Dimensions": [{"Name": "FunctionName", "Value": "presign"}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                "Value": 40.0,
            }
        ],
    )
    assert account.theirs.get_approximate_concurrent_executions() == 0
    assert account.ours.get_approximate_concurrent_executions() == 40


def test_sosw_takes_missing_data_for_zero(account: Account) -> None:
    """Ours returns ``None``."""
    assert account.theirs.get_approximate_concurrent_executions(name="unheard-of") == 0
    assert account.ours.get_approximate_concurrent_executions(name="unheard-of") is None


@pytest.mark.parametrize("trouble", [refuse("RecursiveInvocationException"), ReadTimeoutError(endpoint_url="lambda")])
def test_sosw_raises_when_lambda_does_not_accept_the_sibling(account: Account, trouble: Exception) -> None:
    """Lambda then retries the hop, after a lost answer beside its sibling. Ours returns a reason to park or to wait."""
    account.siblings.error = trouble
    with pytest.raises(type(trouble)):
        account.theirs.spawn_sibling(account.context, {}, force=True)
    assert str(account.ours.hand_over(account.context, {})).startswith("sibling_")


def test_sosw_logs_the_whole_payload(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """A sibling's payload is for the sibling alone."""
    with caplog.at_level(logging.INFO):
        account.ours.spawn_sibling(account.context, {"cursor": "1b2c3d"}, force=True)
        assert "1b2c3d" not in caplog.text
        account.theirs.spawn_sibling(account.context, {"cursor": "1b2c3d"}, force=True)
    assert "1b2c3d" in caplog.text


CREATE_WITH_THE_PROCESSORS_ROW = """
import {module} as made
import sosw.app
sosw.app.get_config = lambda _: {{"init_clients": ["Siblings"]}}
made.SiblingsManager()
"""


@pytest.mark.parametrize(
    ("module", "recurses"), [("sosw.components.siblings", True), ("processor.siblings.manager", False)]
)
def test_sosw_recurses_for_ever_when_its_config_row_is_the_processors(module: str, *, recurses: bool) -> None:
    """It is a Processor too, and reads the row that names it among the clients to create. In a process of its own."""
    source = CREATE_WITH_THE_PROCESSORS_ROW.format(module=module)
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert ("RecursionError" in ended.stderr, ended.returncode) == (recurses, int(recurses)), ended.stderr[-500:]
