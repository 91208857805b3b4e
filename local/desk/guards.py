"""What holds chains back, and the switches for all of them: rules, reserved concurrency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient

    from local.desk.deployed import Deployed

DEFAULT_BUS = "default"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that targets the function, named ``bus/rule`` as the chain's payload names it."""

    name: str
    enabled: bool

    @property
    def place(self) -> tuple[str, str]:
        """Return bus and rule."""
        bus, _, rule = self.name.rpartition("/")
        return bus or DEFAULT_BUS, rule


@dataclass(frozen=True, slots=True)
class Switches:
    """
    What stops all chains of a function at once.

    :param rules:       Rules that target it; when all of them are off, chains park at their next hand-over.
    :param concurrency: Its reserved concurrency; 0 lets nothing start, ``None`` is none reserved.
    """

    rules: tuple[Rule, ...]
    concurrency: int | None


def switches(events: EventBridgeClient, functions: LambdaClient, deployed: Deployed, buses: Sequence[str]) -> Switches:
    """Look at the switches of a function."""
    arns = [deployed.arn] + ([f"{deployed.arn}:{deployed.qualifier}"] if deployed.qualifier else [])
    pages = events.get_paginator("list_rule_names_by_target")
    names = [
        f"{bus}/{name}"
        for bus in buses
        for arn in arns
        for page in pages.paginate(TargetArn=arn, EventBusName=bus)
        for name in page["RuleNames"]
    ]
    found = [state for state in (_state(events, name) for name in dict.fromkeys(names)) if state is not None]
    reserved = functions.get_function_concurrency(FunctionName=deployed.function)
    return Switches(tuple(found), reserved.get("ReservedConcurrentExecutions"))


def _state(events: EventBridgeClient, name: str) -> Rule | None:
    rule = Rule(name, enabled=False)
    bus, own = rule.place
    try:
        state = events.describe_rule(Name=own, EventBusName=bus)["State"]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return replace(rule, enabled=state != "DISABLED")


def turn(events: EventBridgeClient, rules: Iterable[Rule], *, on: bool) -> list[Rule]:
    """
    Enable or disable rules.

    :return: Those that were the other way before.
    """
    turned = [rule for rule in rules if rule.enabled is not on]
    for rule in turned:
        bus, name = rule.place
        (events.enable_rule if on else events.disable_rule)(Name=name, EventBusName=bus)
    return turned


def reserve(functions: LambdaClient, deployed: Deployed, concurrency: int | None) -> None:
    """
    Set the reserved concurrency.

    :param concurrency: 0 lets nothing start; ``None`` takes the reservation away.
    """
    if concurrency is None:
        functions.delete_function_concurrency(FunctionName=deployed.function)
    else:
        functions.put_function_concurrency(FunctionName=deployed.function, ReservedConcurrentExecutions=concurrency)
