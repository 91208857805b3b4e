"""
sosw's ``SiblingsManager``, refactored.

sosw 0.7.51 lists every rule of the account (the first 100 of them), compares exact ARNs, estimates concurrency from
metrics that a running invocation has not written yet, invokes ``$LATEST`` and does not say whether it did.
"""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sosw.components.siblings import SiblingsManager as SoswSiblingsManager

from processor.answers import MALFORMED, check_answers
from processor.causes import why
from processor.errors import cause_code, error_code, is_of_server
from processor.job.validation import entries
from processor.siblings import kill_switch, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from processor.lambda_context import LambdaContext


logger = Logger()  # the one that redacts: Powertools keeps one a service
ACCEPTED = 202
DRY_RUN = "dry_run"
# ``retry`` asks again, within the time left; botocore's retries know no deadline.
_LOOK_UP = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1})
# The SDK's own retry after a lost answer would start the chain twice.
_INVOKE = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})


def split_arn(arn: str) -> tuple[str, str | None]:
    """Return a function's bare ARN, and the alias or version after it."""
    pieces = arn.split(":")
    return ":".join(pieces[:7]), pieces[7] if len(pieces) > 7 else None  # noqa: PLR2004 - arn:aws:lambda:r:a:function:n


def _is_dry() -> bool:
    """Whether sosw's stage says that nothing is to be invoked."""
    return os.environ.get("STAGE") == "test"


def _is_refused(error: ClientError | BotoCoreError) -> bool:
    """
    Whether Lambda has surely not taken the event.

    A code that is a status comes from a server in between: Lambda may have taken the event. So it may where the fault
    is its own, or its answer is malformed or lost.
    """
    return isinstance(error, ClientError) and not error_code(error).isdigit() and not is_of_server(error)


def _client(service: Any, config: Config = _LOOK_UP) -> Any:  # noqa: ANN401 - a service's name, and its client
    """Make a client that refuses answers that do not come from the service."""
    client = boto3.client(service, config=config)
    check_answers(client)
    return client


def _warn(event: str, **fields: object) -> None:
    logger.warning(event, extra={"event": event, **fields})


class SiblingsManager(SoswSiblingsManager):
    """
    sosw's component with its three methods overridden; register it as ``siblings_client``.

    Config (``siblings_config`` of the Processor): ``auto_spawning`` decides when no rule targets the function at all;
    ``max_concurrent_siblings`` bounds all that run (``DeploymentSettings`` reads it); ``events_rules`` and
    ``event_buses``, comma-separated, when they are not to be discovered on the default bus; ``schedules`` of
    EventBridge Scheduler, which has no lookup by target.
    """

    DEFAULT_CONFIG = {  # noqa: RUF012 - sosw's shape; it copies before it changes
        "auto_spawning": True,
        "max_concurrent_siblings": None,
        "event_buses": "default",
        "events_rules": "",
        "schedules": "",
    }
    # Seconds until an answer comes too late for the hand-over; the app sets it before each hand-over.
    time_left: Callable[[], float] = staticmethod(lambda: math.inf)
    sleep: Callable[[float], None] = staticmethod(time.sleep)
    warning: Callable[..., None] = staticmethod(_warn)  # the app sets one that names the job
    scheduler_client: Any = None

    @staticmethod
    def get_config(name: str) -> dict[str, Any]:  # noqa: ARG004 - sosw's signature
        """Read no config row: the row is the Processor's, and its ``init_clients`` would make this class recurse."""
        return {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - sosw's signature
        super().__init__(*args, **kwargs)
        self.events_client = _client("events")
        self.cloudwatch_client = _client("cloudwatch")
        self.lambda_client = _client("lambda", _INVOKE)

    def events_rules(self, lambda_context: LambdaContext) -> tuple[str, ...]:
        """
        Name the rules that target the function, as ``bus/rule``.

        They are looked for under its bare ARN, the one in use, its version's, and that of the alias ``LIVE_ALIAS``,
        whichever of them the chain was started under.

        :raises ClientError: The look-up failed after its retries.
        """
        schedules = kill_switch.schedule_names(self.config["schedules"] or os.environ.get("SCHEDULER_SCHEDULES", ""))
        if self.config["events_rules"]:
            return (*entries(self.config["events_rules"]), *schedules)
        bare, _ = split_arn(lambda_context.invoked_function_arn)
        qualifiers = (lambda_context.function_version, os.environ.get("LIVE_ALIAS"))
        others = (f"{bare}:{qualifier}" for qualifier in qualifiers if qualifier)
        arns = dict.fromkeys((bare, lambda_context.invoked_function_arn, *others))
        places = [(bus, arn) for bus in entries(self.config["event_buses"]) for arn in arns]
        rules = (f"{bus}/{rule}" for bus, arn in places for rule in self._rules(bus, arn))
        return (*dict.fromkeys(rules), *schedules)

    def _rules(self, bus: str, arn: str) -> Iterator[str]:
        with self._explained():
            yield from kill_switch.rules_of(self._ask, self.events_client, bus, arn)

    def _ask(self, call: Callable[..., Any], **request: Any) -> Any:  # noqa: ANN401 - each operation has its own
        return retry.call(call, self.time_left, self.sleep, **request)

    def any_events_rules_enabled(self, lambda_context: LambdaContext, names: tuple[str, ...] | None = None) -> bool:
        """
        Return whether the kill switch lets the chain continue.

        :param names: The rules, as ``events_rules`` names them; looked up when ``None``.
        :return: ``True`` when a rule is enabled, ``False`` when all are off; ``auto_spawning`` when there is no rule.
        :raises ClientError: A look-up failed after its retries.
        """
        names = self.events_rules(lambda_context) if names is None else names
        states = [state for state in map(self._state, names) if state is not None]
        if states:
            return any(state in kill_switch.ENABLED for state in states)
        return self.config["auto_spawning"] in (True, "true")

    def _state(self, name: str) -> str | None:
        machine = os.environ.get("STATE_MACHINE_ARN")
        with self._explained():
            return kill_switch.state_of(self._ask, self.events_client, self._scheduler, name, machine)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Log why a look-up of the kill switch failed: the reason to park has the error's code alone."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            self._unknown("rules", error)
            raise

    def _scheduler(self) -> Any:  # noqa: ANN401 - a boto3 client
        """Make the client of EventBridge Scheduler once a schedule is named."""
        self.scheduler_client = self.scheduler_client or _client("scheduler")
        return self.scheduler_client

    def get_approximate_concurrent_executions(self, minutes_back: int = 5, name: str | None = None) -> int | None:
        """
        Return the highest ``ConcurrentExecutions`` that CloudWatch knows for the function.

        :param minutes_back: How far to look back; the metric has a value a minute.
        :return: ``None`` when the metric has no value, which does not mean 0.
        """
        now = datetime.now(UTC)
        metric: Any = {
            "Namespace": "AWS/Lambda",
            "MetricName": "ConcurrentExecutions",
            "Dimensions": [{"Name": "FunctionName", "Value": name or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")}],
        }
        query: Any = {"Id": "concurrency", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
        try:
            answer = self._ask(
                self.cloudwatch_client.get_metric_data,
                MetricDataQueries=[query],
                StartTime=now - timedelta(minutes=minutes_back),
                EndTime=now,
            )
        except (ClientError, BotoCoreError) as error:
            self._unknown("concurrency", error)
            return None
        values = [value for result in answer["MetricDataResults"] for value in result["Values"]]
        return int(max(values)) if values else None

    def _unknown(self, what: str, error: ClientError | BotoCoreError) -> None:
        """Log that a look-up failed, and why."""
        self.warning("guard", what=what, error=cause_code(error), reason=why(error))

    def recursive_loop(self, lambda_context: LambdaContext) -> str | None:
        """
        Return what Lambda does with a chain of more than about 16 siblings: ``Allow`` or ``Terminate``.

        :return: ``None`` when Lambda does not answer, or the hand-over cannot wait for the answer.
        """
        if self.time_left() < retry.TRY_SECONDS:
            return None
        client, name = _client("lambda"), lambda_context.function_name
        try:
            return str(self._ask(client.get_function_recursion_config, FunctionName=name)["RecursiveLoop"])
        except (ClientError, BotoCoreError) as error:
            self._unknown("recursion guard", error)
            return None

    def spawn_sibling(
        self,
        lambda_context: LambdaContext,
        payload: dict[str, Any] | str | bytes | None = None,
        force: bool = False,  # noqa: FBT001, FBT002 - sosw's signature
    ) -> bool:
        """
        Invoke the next sibling asynchronously, on the alias or version in use.

        :param payload: The sibling's event, as an object or as JSON, which sosw takes too; it is not logged.
        :param force:   Skip the check of the rules, because the caller has made it.
        :return: Whether the sibling was accepted. In ``STAGE=test`` nothing is invoked, so nothing is accepted.
        :raises ClientError: Lambda refused the sibling.
        :raises BotoCoreError: Lambda's answer was lost.
        """
        if not force and not self.any_events_rules_enabled(lambda_context):
            return False
        bare, qualifier = split_arn(lambda_context.invoked_function_arn)
        kind: Literal["DryRun", "Event"] = "DryRun" if _is_dry() else "Event"
        request: dict[str, Any] = {"Qualifier": qualifier} if qualifier else {}
        event = payload if isinstance(payload, str | bytes) else json.dumps(payload or {})
        answer = self.lambda_client.invoke(FunctionName=bare, InvocationType=kind, Payload=event, **request)
        return bool(answer["StatusCode"] == ACCEPTED)

    def hand_over(self, context: LambdaContext, payload: dict[str, Any]) -> str | None:
        """
        Spawn a sibling after the guards have let it pass.

        :return: Why the chain does not surely continue, or ``None`` when the sibling was accepted.
        """
        spawn = partial(self.spawn_sibling, context, payload, force=True)
        try:
            if retry.call(spawn, self.time_left, self.sleep, retry.is_busy):
                return None
        except (ClientError, BotoCoreError) as error:
            self.warning("sibling_not_accepted", error=cause_code(error), reason=why(error))
            return f"{'sibling_refused' if _is_refused(error) else 'sibling_unknown'}: {cause_code(error)}"
        # Lambda answers an asynchronous invoke with 202 alone.
        return DRY_RUN if _is_dry() else f"sibling_unknown: {MALFORMED}"
