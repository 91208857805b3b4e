"""The rules and schedules that start a function, and how they are turned off and on again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from presign_siblings.errors import NotFoundError
from presign_siblings.remote import switches
from presign_siblings.remote.function import Deployed, live, of_function
from presign_siblings.remote.switches import Rule
from tests.deployed import DEPLOYED

ARN = DEPLOYED.arn
SCHEDULE: dict[str, Any] = {
    "Name": "nightly",
    "GroupName": "default",
    "Arn": "arn:...",
    "State": "ENABLED",
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": f"{ARN}:live", "RoleArn": "r", "Input": "{}"},
    "CreationDate": 1,
    "LastModificationDate": 2,
    "ResponseMetadata": {},
}


class Aws:
    """EventBridge, its Scheduler and Lambda, with the content that a test puts there."""

    def __init__(self) -> None:
        self.rules = {f"{ARN}:live": ["nightly", "gone"], ARN: ["old"]}
        self.states = {"nightly": "ENABLED", "old": "DISABLED"}
        self.patterns: dict[str, dict[str, str]] = {}
        self.schedules = {"nightly": dict(SCHEDULE)}
        self.turned: list[tuple[str, str]] = []

    def list_rule_names_by_target(self, **request: Any) -> dict[str, Any]:
        return {"RuleNames": self.rules.get(request["TargetArn"], [])}

    def describe_rule(self, **request: Any) -> dict[str, Any]:
        if request["Name"] not in self.states:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeRule")
        return {"State": self.states[request["Name"]], **self.patterns.get(request["Name"], {})}

    def enable_rule(self, **request: Any) -> None:
        self.turned.append(("on", f"{request['EventBusName']}/{request['Name']}"))

    def disable_rule(self, **request: Any) -> None:
        self.turned.append(("off", f"{request['EventBusName']}/{request['Name']}"))

    def get_schedule(self, **request: Any) -> dict[str, Any]:
        return self.schedules[request["Name"]]

    def update_schedule(self, **request: Any) -> None:
        self.schedules[request["Name"]] = request

    def get_paginator(self, _: str) -> Aws:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        state = {"presign": "Disabled", "presign:live": "Enabled"}[request["FunctionName"]]
        found = {"UUID": request["FunctionName"], "EventSourceArn": "arn:queue", "State": state}
        return [{"EventSourceMappings": [found]}]

    def get_function_concurrency(self, **_: Any) -> dict[str, Any]:
        return {"ReservedConcurrentExecutions": 5}

    def get_function_configuration(self, **request: Any) -> dict[str, Any]:
        name = request["FunctionName"].removeprefix(f"{ARN.rpartition(':')[0]}:")
        arn = f"{ARN.rpartition(':')[0]}:{name}"
        variables = {"LIVE_ALIAS": "live", "JOBS_TABLE": "jobs"}
        return {"FunctionArn": arn, "FunctionName": "presign", "Environment": {"Variables": variables}}


def client(aws: Aws) -> Any:
    """Return the fake as a client of any type."""
    return cast("Any", aws)


def scheduled(**variables: str) -> Deployed:
    """Return the function with additional environment variables."""
    return replace(DEPLOYED, environment={**DEPLOYED.environment, **variables})


def test_the_switches_of_a_function_are_found_under_each_of_its_names() -> None:
    """Rules of its live alias, and schedules, which no look-up finds by their target."""
    aws, deployed = Aws(), scheduled(LIVE_ALIAS="live", SCHEDULER_SCHEDULES="default/nightly")
    found = switches.switches(client(aws), client(aws), deployed, scheduler=lambda: aws)
    states = {"default/old": False, "default/nightly": True, "schedule:default/nightly": True}
    assert {rule.name: rule.enabled for rule in found.rules} == states
    assert found.concurrency == 5
    assert {each.name: each.enabled for each in found.mappings} == {"presign": False, "presign:live": True}


def test_the_rule_for_ended_executions_is_no_switch() -> None:
    """It starts no job, and the chains do not look it up."""
    aws, deployed = Aws(), scheduled(LIVE_ALIAS="live", STATE_MACHINE_ARN="arn:machine")
    aws.patterns["nightly"] = {"EventPattern": '{"detail": {"stateMachineArn": ["arn:machine"]}}'}
    found = switches.switches(client(aws), client(aws), deployed)
    assert [rule.name for rule in found.rules] == ["default/old"]


def test_only_switches_in_the_other_state_are_turned() -> None:
    """A rule that an operator disabled before stays disabled."""
    aws = Aws()
    rules = [Rule("default/nightly", enabled=True), Rule("default/old", enabled=False)]
    assert switches.turn(client(aws), rules, on=False) == rules[:1]
    assert aws.turned == [("off", "default/nightly")]
    switches.turn(client(aws), [replace(rules[0], enabled=False)], on=True)
    assert aws.turned[1:] == [("on", "default/nightly")]


def test_a_schedule_keeps_all_but_its_state() -> None:
    """UpdateSchedule replaces the whole schedule, and refuses its read-only fields."""
    aws = Aws()
    switches.turn(client(aws), [Rule("schedule:default/nightly", enabled=True)], on=False, scheduler=lambda: aws)
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    assert aws.schedules["nightly"] == {**{name: SCHEDULE[name] for name in kept}, "State": "DISABLED"}


def test_a_function_is_used_under_its_live_alias_unless_another_is_named() -> None:
    """So an operator's job runs the same version as the schedule's."""
    aws = client(Aws())
    assert live(aws, of_function(aws, "presign")).named == "presign:live"
    assert live(aws, of_function(aws, "presign:7")).named == "presign:7"
    assert live(aws, of_function(aws, f"{ARN}:7")).arn == ARN


def test_a_missing_alias_is_not_reported_as_a_missing_function() -> None:
    """The alias was deleted by hand: the function still ran under its bare name."""
    functions = Mock()
    functions.meta.region_name = "eu-west-1"
    functions.get_function_configuration.side_effect = ClientError(
        {"Error": {"Code": "ResourceNotFoundException"}}, "GetFunctionConfiguration"
    )
    with pytest.raises(NotFoundError, match="region eu-west-1, or it has no alias or version live$"):
        of_function(functions, f"{ARN}:live")
    with pytest.raises(NotFoundError, match="no function presign in region eu-west-1$"):
        of_function(functions, "presign")
