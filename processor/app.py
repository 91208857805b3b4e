"""
The sosw Processor, and Lambda's handler.

A hop returns data; what follows for sosw and the caller (answer, metrics, the end of a task) happens here.
"""

from __future__ import annotations

from processor import collector  # isort: skip - the collector rests while the other modules are loaded

import asyncio
import logging
import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from processor import events
from processor.aws import Connections
from processor.causes import why
from processor.chain import Answer, Hop, Response, Status, open_ledger, signing_credentials, signing_distribution
from processor.errors import InvalidEventError, PresignSiblingsError, RetryableError, TerminalError, cause_code
from processor.fanout import FanOut, reporting
from processor.job import DEFAULT_NAMESPACE, DeploymentSettings
from processor.lambda_context import time_left
from processor.ledger import Claim
from processor.reporting import Telemetry, level_kept, redact
from processor.siblings.manager import SiblingsManager

# After reporting: sosw logs through the logger that is made there.
import sosw.app  # isort: skip
from sosw.app import LambdaGlobals, get_lambda_handler  # isort: skip
from processor.sosw_base import HAS_TASKS, Base  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from processor.chain import Outcome
    from processor.lambda_context import LambdaContext

# The DEBUG lines of these libraries hold tokens, signatures and secrets, whatever the function's log level is.
for _library in ("aiobotocore", "boto3", "botocore", "urllib3"):
    logging.getLogger(_library).setLevel(logging.INFO)

redact()
collector.resume()

SIBLINGS = "Siblings"
INVOKE_SECONDS = 3.0  # kept free after the guards, for the record and the invoke


class Processor(Base):
    """
    Lists a prefix, presigns every PDF, and hands over to a sibling when the time runs short.

    Job defaults are not in ``DEFAULT_CONFIG``: it would shadow the environment.
    """

    DEFAULT_CONFIG = {  # noqa: RUF012 - sosw's shape; it copies before it changes
        "init_clients": (),  # clients are made when they are needed
        "siblings_config": SiblingsManager.DEFAULT_CONFIG,
    }

    siblings_client: SiblingsManager | None = None
    connections = Connections()
    open_ledger = staticmethod(open_ledger)

    @staticmethod
    def get_config(name: str) -> dict[str, Any]:
        """
        Read sosw's config row, unless the environment says that there is none (``SOSW_CONFIG=none``).

        sosw's DynamoDB client would ask Glue for the table's schema first; the role has no right to, and no need. Where
        the table does not answer, sosw continues without the row for as long as the environment lives.

        :raises RetryableError: The environment says that there is one (``dynamodb``), and it cannot be read.
        :raises TerminalError: The row is not a JSON object.
        """
        setting = os.environ.get("SOSW_CONFIG")
        if setting == "none":
            return {}
        source: Any = getattr(getattr(sosw.app.get_config, "__self__", None), "dynamo_config", None)
        if source is not None:
            source.config["dynamo_client_config"]["skip_glue"] = True
        row = Base.get_config(name) or {}
        if setting == "dynamodb" and getattr(source, "no_ddb_access", False):
            source.no_ddb_access = None
            raise RetryableError(f"cannot read the config row {name}: sosw's warning before this line says why")
        if not isinstance(row, dict):
            raise TerminalError(f"the config row {name} is not a JSON object")
        return row

    def register_clients(self, clients: Iterable[str]) -> None:
        """
        Make the clients that sosw's config names; ``Siblings``, as sosw's manual has it, is this product's class.

        sosw would make its own class, and the chain would find at its first hand-over that it cannot name the rules.
        """
        if SIBLINGS in clients:
            self.siblings_client = SiblingsManager(custom_config=self.config["siblings_config"])
        super().register_clients([name for name in clients if name != SIBLINGS])

    @staticmethod
    def clock() -> datetime:
        """Return the present instant, UTC: the source of every date that is signed or written."""
        return datetime.now(UTC)

    def __call__(self, event: object, reset_result: bool = True) -> Answer:  # noqa: ARG002, FBT001, FBT002 - sosw's
        """
        Work on one event.

        :return: The contract's answer, without ``manifest_url``: sosw logs it.
        :raises PresignSiblingsError: The job failed, or this try of it did.
        """
        # After an exception, sosw's handler does not reset the stats of the last call.
        self.__pre_call__()
        context: LambdaContext | None = global_vars.lambda_context
        if context is None:
            raise PresignSiblingsError(
                "the Processor works only inside a Lambda invocation: call processor.app.lambda_handler(event, "
                "context), or set processor.app.global_vars.lambda_context"
            )
        with _measured(context) as telemetry:
            answer = self._answer(event, context, telemetry)
            telemetry.count(ResponseBytes=answer.size)
        return answer

    def _answer(self, event: object, context: LambdaContext, telemetry: Telemetry) -> Answer:
        try:
            deployment = DeploymentSettings.from_environment(os.environ, self.config)
        except InvalidEventError as error:
            answer = _refused(events.Invalid(error.field, str(error)), telemetry)
            if events.is_batch(event) or events.is_kept(event):
                raise  # an answer would remove the messages from the queue, or end a chain
            return answer
        work = partial(self._work, deployment, context, telemetry)
        delivery, token = context.aws_request_id, _task_token.get()
        around = events.Surroundings(
            os.environ, self.config, deployment, delivery, self.clock, tasks=HAS_TASKS, token=token
        )
        match events.read(event, around):
            case events.Invalid() as invalid:
                self.stats["invalid"] += 1
                super().__call__({}, reset_result=False)
                return _refused(invalid, telemetry)
            case events.One() as one:
                return Answer.of(work(one))
            case events.Batch() as batch:
                siblings = partial(self._siblings, context, telemetry)
                from processor.chain import SqsBatch  # noqa: PLC0415 - 15 ms that a sibling's cold start need not wait for

                return Answer(SqsBatch(context, around, telemetry, siblings=siblings, work=work).answer(batch))

    def _work(
        self, deployment: DeploymentSettings, context: LambdaContext, telemetry: Telemetry, asked: events.One
    ) -> Response:
        """
        Work on one job, and close its task of sosw when the job is complete.

        :raises PresignSiblingsError: The job failed, or this try of it did.
        """
        self.__pre_call__()  # each message of a batch has its own stats
        telemetry.job(asked.run.job_id, asked.run.hop)
        if deployment.jobs_table is None and asked.run.hop == 0:
            telemetry.warning("unfenced", reason="JOBS_TABLE is not set: a duplicate delivery runs the job again")
        try:
            ended = asyncio.run(self._hop(deployment, context, telemetry).run(self._claim(asked)))
        except PresignSiblingsError as error:
            # With several chains, the hop that gathers closes the task: it sees which chains failed.
            self._failed(error, asked.run.job.task_id if asked.run.share is None else None, telemetry)
            raise
        if ended.outcome is not None:
            self._count(ended.outcome, telemetry)
        # Only a finished manifest closes sosw's task: at the last sibling, or at a task that finds the job finished.
        closes = asked.run.job.task_id if ended.status is Status.COMPLETE else None
        if closes and not HAS_TASKS:  # a chain that began on sosw 0.7
            telemetry.warning("task_not_closed", error="sosw 3 has no tasks")
        super().__call__({"task_id": closes} if closes else {}, reset_result=False)
        return ended

    def _claim(self, asked: events.One) -> Claim:
        return Claim(
            run=asked.run,
            resume=asked.resume,
            time=asked.time,
            holder=uuid4().hex,
            now=self.clock(),
            token=asked.token,
            waits=asked.waits,
        )

    def _hop(self, deployment: DeploymentSettings, context: LambdaContext, telemetry: Telemetry) -> Hop:
        return Hop(
            context=context,
            deployment=deployment,
            telemetry=telemetry,
            siblings=partial(self._siblings, context, telemetry),
            clock=self.clock,
            connections=self.connections,
            ledger=reporting(self.open_ledger),
            fan_out=FanOut.of(deployment, self.connections),
            signing=partial(signing_credentials, deployment),
            distribution=partial(signing_distribution, deployment),
        )

    def _siblings(self, context: LambdaContext, telemetry: Telemetry) -> SiblingsManager:
        """Make sosw's component once it is needed: a hop that completes never does."""
        if self.siblings_client is None:
            self.siblings_client = SiblingsManager(custom_config=self.config["siblings_config"])
        # Seconds until an answer comes too late for the record and the invoke that follow it.
        self.siblings_client.time_left = lambda: time_left(context, INVOKE_SECONDS)
        self.siblings_client.warning = telemetry.warning
        return self.siblings_client

    def _failed(self, error: PresignSiblingsError, task_id: str | None, telemetry: Telemetry) -> None:
        terminal = isinstance(error, TerminalError)
        telemetry.error("failed", error=type(error).__name__, reason=str(error), terminal=terminal)
        telemetry.count(Failed=1)
        if terminal and task_id and HAS_TASKS:
            try:
                self.mark_task_as_failed(task_id)
            except (BotoCoreError, ClientError) as refused:
                # The job's own error is the one that Lambda must see.
                telemetry.warning("task_not_closed", error=cause_code(refused), reason=why(refused))

    def _count(self, outcome: Outcome, telemetry: Telemetry) -> None:
        """Put the hop's own numbers into the metrics, and where sosw looks for them."""
        before, after = outcome.start.counts, outcome.checkpoint.counts
        count, errors = after.count - before.count, after.errors - before.errors
        pages, size = after.pages - before.pages, outcome.size - outcome.start.size
        telemetry.count(
            PDFsProcessed=count + errors,
            PresignCount=count,
            PresignErrors=errors,
            S3ListPages=pages,
            WastedPages=outcome.wasted,
            ManifestBytes=size,
        )
        for name, value in {"count": count, "errors": errors, "pages": pages, "manifest_bytes": size}.items():
            self.stats[name] += value
        self.result.update(count=after.count, errors=after.errors)


@contextmanager
def _measured(context: LambdaContext) -> Iterator[Telemetry]:
    """Measure an invocation; its metrics are printed however it ends."""
    began = time.monotonic()
    namespace = os.environ.get("METRICS_NAMESPACE") or DEFAULT_NAMESPACE
    telemetry = Telemetry(namespace, context.function_name, context.aws_request_id)
    try:
        yield telemetry
    finally:
        telemetry.count(DurationMs=round((time.monotonic() - began) * 1000))
        telemetry.flush()


def _refused(invalid: events.Invalid, telemetry: Telemetry) -> Answer:
    telemetry.invalid(invalid.field, invalid.message)
    if invalid.needs_error:
        raise PresignSiblingsError(invalid.message)
    return Answer.of(Response(Status.INVALID, {"status": Status.INVALID, "message": invalid.message}))


global_vars = LambdaGlobals()
# The token of the state machine's task that the event comes from; sosw logs the event without it.
_task_token: ContextVar[str | None] = ContextVar("task_token", default=None)
_sosw_handler = get_lambda_handler(Processor, global_vars)


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """
    Answer one invocation.

    :param event:   As docs/reference/event.md describes it.
    :param context: Lambda's context.
    :return: ``{"statusCode": ..., "body": "<JSON>"}``; the URLs are added here, after sosw has logged the rest.
    """
    unfit = events.unfit(event)
    if unfit is not None:
        with _measured(context) as telemetry:
            return dict(_refused(unfit, telemetry))
    rest, token = events.withheld(event)
    _task_token.set(token)
    with level_kept():
        answer: Answer = _sosw_handler(rest, context)
    return answer.with_urls()
