"""
Sosw's own ``SiblingsManager`` and the one that overrides it, asked the same on one account.

Each test shows a case that sosw 0.7.51 gets wrong, and what is right. When sosw's side fails, sosw has mended it.
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

    :param arn:   Of the function, bare.
    :param calls: What was asked of AWS, by operation, in order.
    """

    arn: str
    context: LambdaContext
    ours: SiblingsManager
    theirs: Sosw
    calls: list[str]
    siblings: Siblings

    def rule(self, name: str, *, target: str, bus: str = "default", state: Any = "ENABLED") -> None:
        """Put a rule that targets the function."""
        events = boto3.client("events")
        when: Any = {"ScheduleExpression": RATE} if bus == "default" else {"EventPattern": '{"source": ["shop"]}'}
        events.put_rule(Name=name, EventBusName=bus, State=state, **when)
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": target}])

    def asked(self, call: Callable[[], Any]) -> list[str]:
        """Return what a call asks of AWS."""
        self.calls.clear()
        call()
        return list(self.calls)


@pytest.fixture
def account(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Make both components on the server, in an account and on an alias that no other test has."""
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
    """Return credentials of an account of moto's: those of a role in it."""
    role = f"arn:aws:iam::{number}:role/test"
    boto3.setup_default_session()  # the last one keeps the credentials that it has read
    answer = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
    return str(answer["Credentials"]["AccessKeyId"])


def test_with_300_rules_in_the_account_sosw_does_not_see_the_last(account: Account) -> None:
    """It reads one page; ours asks for the function's own, whatever else is there."""
    events = boto3.client("events")
    for number in range(OTHERS - 1):
        events.put_rule(Name=f"other-{number:03}", ScheduleExpression=RATE)
    account.rule("presign-nightly", target=account.arn)
    assert account.theirs.any_events_rules_enabled(account.context) is False
    assert account.ours.any_events_rules_enabled(account.context) is True


def test_sosw_asks_once_for_each_rule_of_the_account_and_ours_once_for_its_own(account: Account) -> None:
    """The throttling that sosw's manual warns of; at a later hand-over ours knows the names and asks once."""
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
def test_under_an_alias_or_a_version_sosw_finds_no_rule(
    account: Account, monkeypatch: pytest.MonkeyPatch, target: str, invoked: str
) -> None:
    """It compares the ARN that was invoked, letter by letter: the chain that the rule starts stops at its first hop."""
    monkeypatch.setenv("LIVE_ALIAS", "live")
    account.rule("nightly", target=f"{account.arn}{target}")
    context = LambdaContext(invoked_function_arn=f"{account.arn}{invoked}", function_version="7")
    assert account.theirs.any_events_rules_enabled(context) is False
    assert account.ours.any_events_rules_enabled(context) is True


def test_sosw_knows_no_bus_but_the_default_one(account: Account) -> None:
    """Ours asks the buses that the config names."""
    boto3.client("events").create_event_bus(Name="orders")
    account.rule("ordered", target=account.arn, bus="orders")
    assert account.theirs.any_events_rules_enabled(account.context) is False
    ours = SiblingsManager(custom_config={"event_buses": "default,orders", "auto_spawning": False})
    assert ours.any_events_rules_enabled(account.context) is True


def test_sosw_takes_a_rule_that_hears_cloudtrail_for_disabled(account: Account) -> None:
    """EventBridge has two words for enabled."""
    account.rule("trail", target=account.arn, state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    assert account.theirs.any_events_rules_enabled(account.context) is False
    assert account.ours.any_events_rules_enabled(account.context) is True


def test_sosw_cannot_switch_off_what_it_lets_spawn_without_rules(account: Account) -> None:
    """``auto_spawning`` overrules rules that an operator disabled; ours asks it only where there is none."""
    account.rule("nightly", target=account.arn, state="DISABLED")
    theirs = Sosw(custom_config={"auto_spawning": True})
    assert theirs.any_events_rules_enabled(account.context) is True
    ours = SiblingsManager(custom_config={"auto_spawning": True})
    assert ours.any_events_rules_enabled(account.context) is False


@pytest.mark.parametrize(("state", "goes_on"), [("ENABLED", True), ("DISABLED", False)])
def test_sosw_sees_no_schedule_of_eventbridge_scheduler(account: Account, state: Any, *, goes_on: bool) -> None:
    """A function that only Scheduler starts never gets a sibling from sosw; ours watches those that are named."""
    boto3.client("scheduler").create_schedule(
        Name="nightly",
        ScheduleExpression=RATE,
        State=state,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": account.arn, "RoleArn": "arn:aws:iam::123456789012:role/scheduler"},
    )
    assert account.theirs.any_events_rules_enabled(account.context) is False
    ours = SiblingsManager(custom_config={"schedules": "nightly"})
    assert ours.any_events_rules_enabled(account.context) is goes_on


def test_sosw_says_the_same_of_a_sibling_that_it_called_and_of_one_that_it_did_not(account: Account) -> None:
    """``None`` both times: without a rule the work is lost in silence."""
    assert account.theirs.spawn_sibling(account.context, {}) is None
    assert account.siblings.requests == []
    account.rule("nightly", target=account.arn)
    assert account.theirs.spawn_sibling(account.context, {}) is None
    assert len(account.siblings.requests) == 1
    assert account.ours.spawn_sibling(account.context, {}) is True
    ours: Any = SiblingsManager(custom_config={"events_rules": "gone", "auto_spawning": False})
    ours.lambda_client = account.siblings
    assert ours.spawn_sibling(account.context, {}) is False


def test_sosw_goes_on_with_latest_what_an_alias_began(account: Account) -> None:
    """A deployment in mid-chain changes the code under it."""
    context = LambdaContext(invoked_function_arn=f"{account.arn}:live")
    account.theirs.spawn_sibling(context, {}, force=True)
    account.ours.spawn_sibling(context, {}, force=True)
    theirs, ours = account.siblings.requests
    assert (theirs["FunctionName"], theirs.get("Qualifier")) == ("presign", None)
    assert (ours["FunctionName"], ours["Qualifier"]) == (account.arn, "live")


def test_sosw_takes_long_runs_for_none(account: Account) -> None:
    """Lambda writes Duration when an invocation ends: forty that are at work for ten minutes count as 0."""
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


def test_sosw_takes_what_it_does_not_know_for_none(account: Account) -> None:
    """No data is 0 to it; ours says that it does not know."""
    assert account.theirs.get_approximate_concurrent_executions(name="unheard-of") == 0
    assert account.ours.get_approximate_concurrent_executions(name="unheard-of") is None


@pytest.mark.parametrize("trouble", [refuse("RecursiveInvocationException"), ReadTimeoutError(endpoint_url="lambda")])
def test_sosw_throws_at_whoever_hands_over_when_lambda_does_not_take_the_sibling(
    account: Account, trouble: Exception
) -> None:
    """Lambda then retries the hop, after a lost answer beside its sibling. Ours gives the reason to park or to wait."""
    account.siblings.error = trouble
    with pytest.raises(type(trouble)):
        account.theirs.spawn_sibling(account.context, {}, force=True)
    assert str(account.ours.hand_over(account.context, {})).startswith("sibling_")


def test_sosw_logs_the_whole_payload(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """What a sibling is told is nobody's but its own."""
    with caplog.at_level(logging.INFO):
        account.ours.spawn_sibling(account.context, {"cursor": "1b2c3d"}, force=True)
        assert "1b2c3d" not in caplog.text
        account.theirs.spawn_sibling(account.context, {"cursor": "1b2c3d"}, force=True)
    assert "1b2c3d" in caplog.text


MAKE_WITH_THE_ROW_OF_THE_PROCESSOR = """
import {module} as made
import sosw.app
sosw.app.get_config = lambda _: {{"init_clients": ["Siblings"]}}
made.SiblingsManager()
"""


@pytest.mark.parametrize(
    ("module", "recurses"), [("sosw.components.siblings", True), ("processor.siblings.manager", False)]
)
def test_sosw_makes_itself_for_ever_when_its_config_row_is_the_processors(module: str, *, recurses: bool) -> None:
    """It is a Processor too, and reads the row that names it among the clients to make. In a process of its own."""
    source = MAKE_WITH_THE_ROW_OF_THE_PROCESSOR.format(module=module)
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert ("RecursionError" in ended.stderr, ended.returncode) == (recurses, int(recurses)), ended.stderr[-500:]
