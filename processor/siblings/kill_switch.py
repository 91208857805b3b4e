"""The rules and schedules of the kill switch: names and states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from processor.errors import error_code
from processor.job.validation import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENABLED = frozenset({"ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"})
SCHEDULE = "schedule:"  # before the name of an EventBridge Scheduler schedule; no bus or rule has a colon in its name


def schedule_names(written: str) -> tuple[str, ...]:
    """
    Return the schedules of a setting as ``schedule:group/name``.

    :param written: Comma-separated: each entry is a name in the group ``default``, ``group/name`` or an ARN.
    """
    names = (name.partition(":schedule/")[2] if name.startswith("arn:") else name for name in entries(written))
    return tuple(f"{SCHEDULE}{name}" if "/" in name else f"{SCHEDULE}default/{name}" for name in names)


def rules_of(ask: Callable[..., Any], client: Any, bus: str, arn: str) -> Iterator[str]:  # noqa: ANN401 - a boto3 client
    """
    Return the names of all rules of a bus that target an ARN.

    :param ask:    Calls an operation.
    :param client: Client of EventBridge.
    """
    request: dict[str, Any] = {"TargetArn": arn, "EventBusName": bus}
    while True:
        page = ask(client.list_rule_names_by_target, **request)
        yield from page["RuleNames"]
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def state_of(
    ask: Callable[..., Any],
    events: Any,  # noqa: ANN401 - as above
    scheduler: Callable[[], Any],
    name: str,
    machine: str | None,
) -> str | None:
    """
    Return the state of a rule (``bus/rule``) or schedule (``schedule:group/name``) that starts jobs.

    :param scheduler: Makes the client of EventBridge Scheduler.
    :param machine:   ARN of the deployment's state machine: a rule for its events ends jobs, and starts none.
    :return: ``None`` when there is no such rule or schedule, or it starts no jobs.
    """
    place, _, own = name.removeprefix(SCHEDULE).rpartition("/")
    try:
        if name.startswith(SCHEDULE):
            return str(ask(scheduler().get_schedule, GroupName=place, Name=own)["State"])
        rule = ask(events.describe_rule, Name=own, EventBusName=place or "default")
        return None if machine and machine in rule.get("EventPattern", "") else str(rule["State"])
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
