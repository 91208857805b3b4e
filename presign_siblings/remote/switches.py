"""The switches for all chains of a function: rules, schedules, event source mappings, reserved concurrency."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from presign_siblings import connections
from processor.siblings import kill_switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient

    from presign_siblings.remote.function import Deployed

T = TypeVar("T")

DEFAULT_BUS = "default"
RESERVED = "reserved concurrency"
# The arguments of ``UpdateSchedule``, which replaces the whole schedule.
_SCHEDULE = frozenset(
    {
        "ActionAfterCompletion",
        "Description",
        "EndDate",
        "FlexibleTimeWindow",
        "GroupName",
        "KmsKeyArn",
        "Name",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "StartDate",
        "Target",
    }
)


def _scheduler() -> Any:  # noqa: ANN401 - a client without types
    return connections.client("scheduler")


class Look(Protocol):
    """Looks something up; what continues without an answer notes the refusal, and returns ``absent``."""

    def __call__(self, name: str, call: Callable[[], T], absent: T, /) -> T:
        """Return the answer."""


def ask(_name: str, call: Callable[[], T], _absent: T, /) -> T:
    """Look something up; a refusal is raised."""
    return call()


def _ask(call: Callable[..., Any], **request: Any) -> Any:  # noqa: ANN401 - each operation has its own answer
    return call(**request)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule (``bus/rule``) or schedule (``schedule:group/name``) that starts the function, named as chains name it."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Mapping:
    """
    An event source mapping: Lambda takes messages out of a queue for the function while it is on.

    :param name:   Its UUID.
    :param source: ARN of the queue.
    """

    name: str
    source: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Switches:
    """
    The switches that stop all chains of a function at once.

    :param rules:       Rules and schedules that start the function; when all are off, chains park.
    :param mappings:    Queues that start it; one that is on uses up tries of messages that a stopped function refuses.
    :param concurrency: Reserved concurrency; with 0 nothing starts, ``None``: no reservation.
    """

    rules: tuple[Rule, ...]
    concurrency: int | None
    mappings: tuple[Mapping, ...] = ()


def switches(
    events: EventBridgeClient,
    functions: LambdaClient,
    deployed: Deployed,
    buses: Sequence[str] = (DEFAULT_BUS,),
    scheduler: Callable[[], Any] = _scheduler,
    look: Look = ask,
) -> Switches:
    """
    Read the switches of a function: what starts it under its bare ARN, the ARN in use, or that of its live alias.

    :param scheduler: Makes a client of EventBridge Scheduler, where there is a schedule.
    :param look:      Asks, and says what becomes of a refusal.
    """
    qualifiers = (deployed.qualifier, deployed.environment.get("LIVE_ALIAS"))
    arns = dict.fromkeys((deployed.arn, *(f"{deployed.arn}:{each}" for each in qualifiers if each)))
    places = [(bus, arn) for bus in buses for arn in arns]
    rules = look(
        "rules", lambda: [f"{bus}/{name}" for bus, arn in places for name in _rules(events, bus, arn)], list[str]()
    )
    schedules = kill_switch.schedule_names(deployed.environment.get("SCHEDULER_SCHEDULES", ""))
    machine = deployed.environment.get("STATE_MACHINE_ARN")
    asked = partial(kill_switch.state_of, _ask, events, scheduler)
    states = {name: look(name, partial(asked, name, machine), None) for name in (*rules, *schedules)}
    known = (Rule(name, state in kill_switch.ENABLED) for name, state in states.items() if state is not None)
    names = dict.fromkeys((deployed.function, *(f"{deployed.function}:{each}" for each in qualifiers if each)))
    queues = look(
        "mappings", lambda: [found for name in names for found in _mappings(functions, name)], list[Mapping]()
    )
    concurrency = look(RESERVED, partial(reserved, functions, deployed), None)
    return Switches(tuple(known), concurrency, tuple(dict.fromkeys(queues)))


def _rules(events: EventBridgeClient, bus: str, arn: str) -> Iterator[str]:
    return kill_switch.rules_of(_ask, events, bus, arn)


def reserved(functions: LambdaClient, deployed: Deployed) -> int | None:
    """Return the reserved concurrency; ``None`` where there is no reservation."""
    return functions.get_function_concurrency(FunctionName=deployed.function).get("ReservedConcurrentExecutions")


def _mappings(functions: LambdaClient, name: str) -> Iterator[Mapping]:
    for page in functions.get_paginator("list_event_source_mappings").paginate(FunctionName=name):
        for found in page["EventSourceMappings"]:
            enabled = found.get("State") not in {"Disabled", "Disabling", "Deleting"}
            yield Mapping(found["UUID"], found.get("EventSourceArn", ""), enabled)


def open_mappings(functions: LambdaClient, names: Iterable[str], *, on: bool) -> None:
    """Let Lambda take messages out of the mappings' queues, or stop it."""
    for name in names:
        functions.update_event_source_mapping(UUID=name, Enabled=on)


def turn(
    events: EventBridgeClient, rules: Iterable[Rule], *, on: bool, scheduler: Callable[[], Any] = _scheduler
) -> list[Rule]:
    """
    Enable or disable rules and schedules.

    :return: The rules and schedules whose state changed.
    """
    turned = [rule for rule in rules if rule.enabled is not on]
    for rule in turned:
        place, _, name = rule.name.removeprefix(kill_switch.SCHEDULE).rpartition("/")
        if rule.name.startswith(kill_switch.SCHEDULE):
            client = scheduler()
            schedule = client.get_schedule(GroupName=place, Name=name)
            kept = {field: value for field, value in schedule.items() if field in _SCHEDULE}
            client.update_schedule(**kept, State="ENABLED" if on else "DISABLED")
        else:
            (events.enable_rule if on else events.disable_rule)(Name=name, EventBusName=place)
    return turned


def reserve(functions: LambdaClient, deployed: Deployed, concurrency: int | None) -> None:
    """
    Set the reserved concurrency.

    :param concurrency: With 0 nothing starts; ``None`` removes the reservation.
    """
    if concurrency is None:
        functions.delete_function_concurrency(FunctionName=deployed.function)
    else:
        functions.put_function_concurrency(FunctionName=deployed.function, ReservedConcurrentExecutions=concurrency)
