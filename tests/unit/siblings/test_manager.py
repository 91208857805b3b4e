"""sosw's ``SiblingsManager``, refactored: each trap of the original has a test."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import Stubber

from processor.siblings import manager as module
from processor.siblings.manager import SiblingsManager, split_arn
from processor.siblings.retry import TRY_SECONDS
from tests.fakes import ARN, LambdaContext, refuse
from tests.output import logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes import Siblings
    from tests.output import Output

BARE = ARN
ALIAS = f"{ARN}:live"
LATEST = f"{ARN}:$LATEST"
# CloudWatch takes whole minutes alone.
MAXIMUM = {
    "Id": ANY,
    "MetricStat": {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "ConcurrentExecutions",
            "Dimensions": [{"Name": "FunctionName", "Value": ANY}],
        },
        "Period": 60,
        "Stat": "Maximum",
    },
}


class Ago:
    """Equals an instant the given minutes ago, within a minute."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes

    def __eq__(self, at: object) -> bool:
        ago = timedelta(minutes=self._minutes)
        return isinstance(at, datetime) and abs(datetime.now(UTC) - at - ago) < timedelta(minutes=1)

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def stubbed() -> Iterator[Callable[..., SiblingsManager]]:
    """Return a maker of managers whose EventBridge and CloudWatch give exactly the scripted answers, in order."""
    stubbers: list[Stubber] = []

    def make(events: list[tuple[str, Any, Any]] | None = None, metrics: Any = None, **config: Any) -> SiblingsManager:
        manager = SiblingsManager(custom_config=config)
        for_events, for_metrics = Stubber(manager.events_client), Stubber(manager.cloudwatch_client)
        for operation, answer, expected in events or []:
            if isinstance(answer, str):
                for_events.add_client_error(operation, answer, expected_params=expected)
            else:
                for_events.add_response(operation, answer, expected)
        if isinstance(metrics, str):
            for_metrics.add_client_error("get_metric_data", metrics)
        elif metrics is not None:
            for_metrics.add_response(
                "get_metric_data",
                {"MetricDataResults": [{"Id": "concurrency", "Values": metrics}]},
                {"MetricDataQueries": [MAXIMUM], "StartTime": Ago(minutes=5), "EndTime": Ago(minutes=0)},
            )
        for stubber in (for_events, for_metrics):
            stubber.activate()
            stubbers.append(stubber)
        return manager

    yield make
    for stubber in stubbers:
        stubber.assert_no_pending_responses()


def names(
    answer: list[str], arn: str = BARE, bus: str = "default", token: str | None = None, following: str = ""
) -> Any:
    """Script one page of ListRuleNamesByTarget."""
    page: dict[str, Any] = {"RuleNames": answer} | ({"NextToken": following} if following else {})
    asked = {"TargetArn": arn, "EventBusName": bus} | ({"NextToken": token} if token else {})
    return "list_rule_names_by_target", page, asked


def rule(name: str, state: str, bus: str = "default") -> Any:
    """Script one DescribeRule."""
    return "describe_rule", {"Name": name, "State": state}, {"Name": name, "EventBusName": bus}


def test_rules__every_page_is_read(stubbed: Callable[..., SiblingsManager]) -> None:
    """Sosw reads one page of ``list_rules``: the 101st rule is invisible to it."""
    manager = stubbed([names(["a"], following="t"), names(["b"], token="t"), names([], arn=LATEST)])
    assert manager.events_rules(LambdaContext()) == ("default/a", "default/b")


def test_rules__are_found_under_the_bare_arn_the_alias_and_the_version(stubbed: Callable[..., SiblingsManager]) -> None:
    """Sosw compares the invoked ARN: under an alias, a rule on the bare function never matches."""
    manager = stubbed([names(["bare"]), names(["alias", "bare"], arn=ALIAS), names(["version"], arn=f"{BARE}:7")])
    context = LambdaContext(invoked_function_arn=ALIAS, function_version="7")
    assert manager.events_rules(context) == ("default/bare", "default/alias", "default/version")


def test_rules__of_the_stacks_alias_are_found_by_a_chain_under_the_bare_name(
    stubbed: Callable[..., SiblingsManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack's rules target its alias: a chain that an operator started by the bare name must obey them too."""
    monkeypatch.setenv("LIVE_ALIAS", "live")
    manager = stubbed([names([]), names([], arn=LATEST), names(["schedule"], arn=ALIAS)])
    assert manager.events_rules(LambdaContext()) == ("default/schedule",)


def test_rules__of_custom_buses_are_found_too(stubbed: Callable[..., SiblingsManager]) -> None:
    """Sosw knows only the default bus."""
    asked = [names([]), names([], arn=LATEST), names(["r"], bus="orders"), names([], arn=LATEST, bus="orders")]
    manager = stubbed(asked, event_buses="default, orders")
    assert manager.events_rules(LambdaContext()) == ("orders/r",)


def test_rules__named_in_the_config_need_no_look_up(stubbed: Callable[..., SiblingsManager]) -> None:
    """They are one string, since sosw unites lists of its config layers."""
    manager = stubbed(events_rules="default/a, orders/b")
    assert manager.events_rules(LambdaContext()) == ("default/a", "orders/b")


def test_kill_switch__one_enabled_rule_is_enough(stubbed: Callable[..., SiblingsManager]) -> None:
    """CloudTrail's second kind of enabled counts, unlike in sosw. A rule without a bus is on the default one."""
    kind = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    manager = stubbed([rule("off", "DISABLED"), rule("on", kind, "orders")])
    assert manager.any_events_rules_enabled(LambdaContext(), ("off", "orders/on")) is True


def test_kill_switch__auto_spawning_does_not_override_disabled_rules(stubbed: Callable[..., SiblingsManager]) -> None:
    """In sosw ``auto_spawning`` lifts the kill switch."""
    manager = stubbed([rule("off", "DISABLED")], auto_spawning=True)
    assert manager.any_events_rules_enabled(LambdaContext(), ("default/off",)) is False


def test_kill_switch__a_state_that_may_not_be_read_is_not_that_of_a_missing_rule(
    stubbed: Callable[..., SiblingsManager], output: Output
) -> None:
    """``auto_spawning`` would decide, and let a chain continue whose rule is off; the log has EventBridge's words."""
    gone, denied = (("describe_rule", f"{why}Exception", None) for why in ("ResourceNotFound", "AccessDenied"))
    manager = stubbed([gone, denied], auto_spawning=True)
    with pytest.raises(ClientError):
        manager.any_events_rules_enabled(LambdaContext(), ("default/gone", "default/off"))
    (line,) = logged(output, "guard")
    assert (line["what"], line["error"]) == ("rules", "AccessDeniedException")
    assert "the service answered AccessDeniedException" in line["reason"]


@pytest.mark.parametrize("auto_spawning", [True, False])
def test_kill_switch__without_any_rule_auto_spawning_decides(
    stubbed: Callable[..., SiblingsManager], *, auto_spawning: bool
) -> None:
    """Also when the known rule has been deleted."""
    manager = stubbed([("describe_rule", "ResourceNotFoundException", None)], auto_spawning=auto_spawning)
    assert manager.any_events_rules_enabled(LambdaContext(), ("default/gone",)) is auto_spawning
    assert manager.any_events_rules_enabled(LambdaContext(), ()) is auto_spawning


@pytest.mark.parametrize("written", [False, "false", "no", None, 0])
def test_kill_switch__any_other_value_of_auto_spawning_than_true_is_off(
    stubbed: Callable[..., SiblingsManager], written: Any
) -> None:
    """An operator writes the config row, and the string ``"false"`` is not true."""
    assert stubbed(auto_spawning=written).any_events_rules_enabled(LambdaContext(), ()) is False
    assert stubbed(auto_spawning="true").any_events_rules_enabled(LambdaContext(), ()) is True


def test_kill_switch__the_rule_for_ended_executions_does_not_count(
    stubbed: Callable[..., SiblingsManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is always enabled, so no other rule could stop anything; one for another machine starts jobs."""
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:presign"
    monkeypatch.setenv("STATE_MACHINE_ARN", machine)
    _, found, asked = rule("executions", "ENABLED")
    for other, is_on in ((machine, False), (f"{machine}-other".replace("presign", "billing"), True)):
        pattern = json.dumps({"source": ["aws.states"], "detail": {"stateMachineArn": [other]}})
        ended = "describe_rule", {**found, "EventPattern": pattern}, asked
        manager = stubbed([rule("off", "DISABLED"), ended])
        assert manager.any_events_rules_enabled(LambdaContext(), ("default/off", "default/executions")) is is_on


def test_kill_switch__is_on_without_any_rule(stubbed: Callable[..., SiblingsManager]) -> None:
    """The budgets bound the chain; a manual invoke of an unscheduled function must continue."""
    assert stubbed().any_events_rules_enabled(LambdaContext(), ()) is True


class Scheduler:
    """The part of EventBridge Scheduler that the guard needs."""

    def __init__(self, **states: str) -> None:
        self.states, self.asked = states, list[dict[str, str]]()

    def get_schedule(self, **request: str) -> dict[str, str]:
        self.asked.append(request)
        if request["Name"] not in self.states:
            raise refuse("ResourceNotFoundException", status=404)
        return {"State": self.states[request["Name"]]}


def test_schedules__named_in_the_config_count_beside_the_rules(stubbed: Callable[..., SiblingsManager]) -> None:
    """No look-up finds a schedule by its target, so the config names it: alone, with its group, or as an ARN."""
    arn = "arn:aws:scheduler:eu-west-1:123456789012:schedule/reports/weekly"
    manager = stubbed([names(["r"]), names([], arn=LATEST)], schedules=f"nightly, {arn}, reports/hourly")
    found = manager.events_rules(LambdaContext())
    assert found == ("default/r", "schedule:default/nightly", "schedule:reports/weekly", "schedule:reports/hourly")
    assert stubbed(events_rules="a", schedules="b").events_rules(LambdaContext()) == ("a", "schedule:default/b")


def test_schedules__of_the_stack_come_from_its_environment(
    stubbed: Callable[..., SiblingsManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a config row, the template's parameter names it."""
    monkeypatch.setenv("SCHEDULER_SCHEDULES", "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/nightly")
    assert stubbed(events_rules="a").events_rules(LambdaContext()) == ("a", "schedule:default/nightly")
    row = stubbed(events_rules="a", schedules="mine")
    assert row.events_rules(LambdaContext()) == ("a", "schedule:default/mine"), "the config row comes first"


@pytest.mark.parametrize(("state", "goes_on"), [("ENABLED", True), ("DISABLED", False)])
def test_schedules__are_a_kill_switch_as_rules_are(
    stubbed: Callable[..., SiblingsManager], state: str, *, goes_on: bool
) -> None:
    """Sosw sees none of them: to it a function started by Scheduler always looks switched off."""
    manager = stubbed()
    manager.scheduler_client = Scheduler(nightly=state)
    assert manager.any_events_rules_enabled(LambdaContext(), ("schedule:reports/nightly",)) is goes_on
    assert manager.scheduler_client.asked == [{"GroupName": "reports", "Name": "nightly"}]
    assert manager.any_events_rules_enabled(LambdaContext(), ("schedule:default/gone",)) is True, "auto_spawning"


def test_schedules__need_no_client_unless_one_is_named(stubbed: Callable[..., SiblingsManager]) -> None:
    """A client costs time at every cold start."""
    manager = stubbed([rule("on", "ENABLED")])
    assert manager.any_events_rules_enabled(LambdaContext(), ("default/on",))
    assert manager.scheduler_client is None


def test_look_ups__are_repeated_when_throttled(stubbed: Callable[..., SiblingsManager]) -> None:
    """Within the time left; botocore's own retries, which know no deadline, are off."""
    manager = stubbed([("describe_rule", "ThrottlingException", None), rule("on", "ENABLED")])
    manager.sleep = lambda _: None
    assert manager.any_events_rules_enabled(LambdaContext(), ("default/on",)) is True
    for client in (manager.events_client, manager.cloudwatch_client):
        config: Any = client.meta.config
        assert config.retries["total_max_attempts"] == 1
        assert config.connect_timeout + config.read_timeout == TRY_SECONDS, "which is the time that one try may take"


def test_recursion__the_guard_of_lambda_is_asked_for_the_bare_function(siblings: Siblings) -> None:
    """An alias has no configuration of its own; a failed look-up means unknown, and stops nothing."""
    manager = SiblingsManager()
    assert manager.recursive_loop(LambdaContext(invoked_function_arn=ALIAS)) == "Allow"
    siblings.recursive_loop = "Terminate"
    assert manager.recursive_loop(LambdaContext()) == "Terminate"
    siblings.error = refuse("AccessDeniedException")
    assert manager.recursive_loop(LambdaContext()) is None
    siblings.error, manager.sleep = ReadTimeoutError(endpoint_url="https://x"), lambda _: None
    assert manager.recursive_loop(LambdaContext()) is None
    siblings.error, manager.time_left = None, lambda: 2.9
    assert manager.recursive_loop(LambdaContext()) is None, "the hand-over does not wait for a warning"


def test_concurrency__is_the_metrics_maximum(stubbed: Callable[..., SiblingsManager]) -> None:
    """Sosw multiplies metrics that an invocation writes at its end: long runs count as none."""
    assert stubbed(metrics=[2.0, 7.0]).get_approximate_concurrent_executions() == 7


def test_concurrency__unknown_is_not_zero(stubbed: Callable[..., SiblingsManager], output: Output) -> None:
    """Unknown is both a missing value and a missing answer; the log says which right is missing."""
    assert stubbed(metrics=[]).get_approximate_concurrent_executions() is None
    assert not logged(output, "guard")
    assert stubbed(metrics="AccessDenied").get_approximate_concurrent_executions() is None
    (line,) = logged(output, "guard")
    assert (line["what"], line["error"]) == ("concurrency", "AccessDenied")


def test_concurrency__unknown_is_what_no_answer_leaves() -> None:
    """An error here would undo the hop whose checkpoint is written."""
    manager, asked = SiblingsManager(), list[dict[str, Any]]()

    def get_metric_data(**request: Any) -> None:
        asked.append(request)
        raise ReadTimeoutError(endpoint_url="https://x")

    manager.cloudwatch_client, manager.sleep = SimpleNamespace(get_metric_data=get_metric_data), lambda _: None
    assert manager.get_approximate_concurrent_executions() is None
    assert len(asked) == 5


def test_spawn__invokes_the_alias_in_use(siblings: Siblings) -> None:
    """Sosw invokes the bare name, so ``$LATEST`` continues what the alias began."""
    context = LambdaContext(invoked_function_arn=ALIAS)
    assert SiblingsManager().spawn_sibling(context, {"hop": 1}, force=True) is True
    (request,) = siblings.requests
    assert (request["FunctionName"], request["Qualifier"], request["InvocationType"]) == (BARE, "live", "Event")
    assert json.loads(request["Payload"]) == {"hop": 1}


@pytest.mark.parametrize("on", [True, False])
def test_spawn__asks_the_kill_switch_unless_the_caller_has(
    siblings: Siblings, monkeypatch: pytest.MonkeyPatch, *, on: bool
) -> None:
    """As sosw's own method does; the chain's guards have asked before a hand-over."""
    monkeypatch.setattr(SiblingsManager, "any_events_rules_enabled", lambda *_: on)
    assert SiblingsManager().spawn_sibling(LambdaContext(), {"hop": 1}) is on
    assert len(siblings.requests) == on
    assert SiblingsManager().hand_over(LambdaContext(), {"hop": 1}) is None


def test_spawn__invokes_the_bare_arn_without_an_alias(siblings: Siblings) -> None:
    """The bare ARN is enough."""
    SiblingsManager().spawn_sibling(LambdaContext(), {}, force=True)
    assert "Qualifier" not in siblings.requests[0]


def test_spawn__returns_whether_the_sibling_was_accepted(siblings: Siblings) -> None:
    """Sosw returns ``None`` after success and after refusal: the work is lost in silence."""
    manager = SiblingsManager(custom_config={"auto_spawning": False})
    assert manager.spawn_sibling(LambdaContext(), {}) is False
    assert not siblings.requests
    siblings.status = 200
    assert manager.spawn_sibling(LambdaContext(), {}, force=True) is False


def test_spawn__accepts_nothing_in_stage_test(siblings: Siblings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sosw's ``DryRun`` is kept, and counts as no accepted sibling."""
    monkeypatch.setenv("STAGE", "test")
    manager = SiblingsManager()
    assert manager.hand_over(LambdaContext(), {}) == "dry_run"
    assert siblings.requests[0]["InvocationType"] == "DryRun"


def test_hand_over__distinguishes_a_refusal_from_a_lost_answer(siblings: Siblings) -> None:
    """After a lost answer the sibling may be running, so it is not invoked again."""
    manager = SiblingsManager()
    siblings.error = refuse("RecursiveInvocationException")
    assert manager.hand_over(LambdaContext(), {}) == "sibling_refused: RecursiveInvocationException"
    siblings.error = ReadTimeoutError(endpoint_url="https://lambda")
    assert manager.hand_over(LambdaContext(), {}) == "sibling_unknown: ReadTimeoutError"
    assert len(siblings.requests) == 2


def test_hand_over__a_refusal_is_logged_in_lambdas_words(siblings: Siblings, output: Output) -> None:
    """They say which policy denies the right; the code said that one does."""
    siblings.error = refuse("AccessDeniedException")
    siblings.error.response["Error"]["Message"] = "explicit deny in a service control policy"
    assert SiblingsManager().hand_over(LambdaContext(), {}) == "sibling_refused: AccessDeniedException"
    (line,) = logged(output, "sibling_not_accepted")
    assert line["error"] == "AccessDeniedException"
    assert "explicit deny in a service control policy" in line["reason"]


def test_hand_over__is_repeated_while_lambda_is_busy(siblings: Siblings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 starts nothing, and passes: one of 256 chains that hand over in one second would park their job."""
    manager, slept = SiblingsManager(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            siblings.error = None

    monkeypatch.setattr(manager, "sleep", sleep)
    siblings.error = refuse("TooManyRequestsException", status=429)
    assert manager.hand_over(LambdaContext(), {}) is None
    assert (len(siblings.requests), len(slept)) == (3, 2)
    siblings.error = refuse("TooManyRequestsException", status=429)
    manager.time_left = lambda: 3.0
    assert manager.hand_over(LambdaContext(), {}) == "sibling_refused: TooManyRequestsException"
    assert len(siblings.requests) == 4


@pytest.mark.parametrize(
    ("code", "status"), [("403", 403), ("502", 502), ("MalformedAnswer", 500), ("ServiceException", 500)]
)
def test_hand_over__a_server_error_counts_as_a_lost_answer(siblings: Siblings, code: str, status: int) -> None:
    """After an answer of a gateway, or Lambda's own 500, the sibling may be running or not."""
    siblings.error = refuse(code, status=status)
    assert SiblingsManager().hand_over(LambdaContext(), {}) == f"sibling_unknown: {code}"


def test_hand_over__any_status_but_202_counts_as_a_lost_answer(siblings: Siblings) -> None:
    """After a proxy's page with status 200 the sibling may be running or not: only 202 accepts the event."""
    siblings.status = 200
    assert SiblingsManager().hand_over(LambdaContext(), {}) == "sibling_unknown: MalformedAnswer"


@pytest.mark.parametrize("payload", ['{"hop": 1}', b'{"hop": 1}'])
def test_spawn__accepts_a_payload_that_is_json_already(siblings: Siblings, payload: str | bytes) -> None:
    """As sosw does: encoded once more, the sibling would get a string in place of its event."""
    assert SiblingsManager().spawn_sibling(LambdaContext(), payload, force=True)
    assert json.loads(siblings.requests[0]["Payload"]) == {"hop": 1}


def test_clients__each_refuses_what_does_not_come_from_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's page for an answer was a rule without a state, or a sibling of which nobody knows."""
    checked = list[Any]()
    monkeypatch.setattr(module, "check_answers", checked.append)
    made = SiblingsManager()
    assert checked == [made.events_client, made.cloudwatch_client, made.lambda_client]


def test_spawn__the_sdk_tries_once() -> None:
    """Botocore's own retry after a reset connection would start two chains."""
    config: Any = SiblingsManager().lambda_client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout < 10, "the default SHUTDOWN_PERIOD"


def test_spawn__the_payload_is_not_logged(siblings: Siblings, caplog: pytest.LogCaptureFixture) -> None:
    """Sosw logs it whole."""
    with caplog.at_level(logging.DEBUG):
        SiblingsManager().spawn_sibling(LambdaContext(), {"cursor": "a-cursor-value"}, force=True)
    assert siblings.requests
    assert "a-cursor-value" not in caplog.text


def test_the_config_row_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager is a Processor too: a row with ``init_clients: ["Siblings"]`` makes sosw's recurse."""
    row = {"init_clients": ["Siblings"], "auto_spawning": False}
    monkeypatch.setattr("sosw.app.get_config", lambda _: row)
    assert SiblingsManager().config["auto_spawning"] is True


@pytest.mark.parametrize(
    ("arn", "bare", "qualifier"),
    [(BARE, BARE, None), (ALIAS, BARE, "live"), (f"{BARE}:7", BARE, "7"), (f"{BARE}:$LATEST", BARE, "$LATEST")],
)
def test_an_arn_is_split_from_its_alias_or_version(arn: str, bare: str, qualifier: str | None) -> None:
    """Bare, with an alias, with a version."""
    assert split_arn(arn) == (bare, qualifier)


def test_the_clients_have_sosws_names() -> None:
    """A developer who knows sosw finds them under the same names."""
    manager = SiblingsManager()
    for name in ("events", "lambda", "cloudwatch"):
        client = getattr(manager, f"{name}_client")
        assert isinstance(client, type(boto3.client(name)).__mro__[1])
