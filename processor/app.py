"""
The sosw Processor, and the only place that knows Lambda.

The pipeline returns data; what follows from it (checkpoint, guards, sibling, answer, sosw task) happens here.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor import triggers
from processor.clients import open_s3
from processor.context import LambdaContext, time_left
from processor.deployment import DEFAULT_NAMESPACE, Deployment
from processor.errors import InvalidEventError, PresignSiblingsError, TerminalError
from processor.handover import Guards
from processor.listing import Lister
from processor.manifest import ManifestWriter
from processor.pipeline import Outcome, Pipeline
from processor.presign import open_signer
from processor.siblings import SiblingsManager
from processor.store import CheckpointStore
from processor.telemetry import Telemetry

# After telemetry: sosw logs through the logger that is made there.
import sosw.app  # isort: skip
from sosw.app import LambdaGlobals, get_lambda_handler  # isort: skip
from sosw.worker import Worker  # isort: skip

if TYPE_CHECKING:
    from processor.continuation import Continuation

Answer = dict[str, Any]
ISO = "%Y-%m-%dT%H:%M:%SZ"


class Processor(Worker):
    """
    Lists a prefix, presigns every PDF, and hands over to a sibling when the time runs short.

    Job defaults are not in ``DEFAULT_CONFIG``: it would shadow the environment.
    """

    DEFAULT_CONFIG = {  # noqa: RUF012 - sosw's shape; it copies before it changes
        "init_clients": (),  # clients are made when they are needed
        "siblings_config": SiblingsManager.DEFAULT_CONFIG,
    }

    siblings_client: SiblingsManager | None = None
    manifest_url: str | None = None

    @staticmethod
    def get_config(name: str) -> dict[str, Any]:
        """
        Read sosw's config row, unless the environment says that there is none (``SOSW_CONFIG=none``).

        sosw's DynamoDB client would ask Glue for the table's schema first; the role has no right to, and no need.
        """
        if os.environ.get("SOSW_CONFIG") == "none":
            return {}
        dynamo_config = getattr(getattr(sosw.app.get_config, "__self__", None), "dynamo_config", None)
        if dynamo_config is not None:
            dynamo_config.config["dynamo_client_config"]["skip_glue"] = True
        return dict(Worker.get_config(name) or {})

    @staticmethod
    def clock() -> datetime:
        """Return the present instant, UTC; every date that is signed or written comes from here."""
        return datetime.now(UTC)

    def __call__(self, event: object, reset_result: bool = True) -> Answer:  # noqa: ARG002, FBT001, FBT002 - sosw's
        """
        Work on one event.

        :return: The contract's answer, without ``manifest_url``: sosw logs it.
        :raises PresignSiblingsError: The job failed, or this try of it did.
        """
        # After an exception sosw's handler leaves the last call's stats behind.
        self.__pre_call__()
        self.manifest_url = None
        began = time.monotonic()
        context: LambdaContext = global_vars.lambda_context
        namespace = os.environ.get("METRICS_NAMESPACE") or DEFAULT_NAMESPACE
        telemetry = Telemetry(namespace, context.function_name, context.aws_request_id)
        try:
            answer = self._answer(event, context, telemetry)
            telemetry.count(ResponseBytes=len(json.dumps(self.with_manifest_url(answer))))
        finally:
            telemetry.count(DurationMs=round((time.monotonic() - began) * 1000))
            telemetry.flush()
        return answer

    def with_manifest_url(self, answer: Answer) -> Answer:
        """Return the answer with the manifest's own presigned URL, when this call completed one."""
        if self.manifest_url is None:
            return answer
        return {**answer, "body": json.dumps(json.loads(answer["body"]) | {"manifest_url": self.manifest_url})}

    def _answer(self, event: object, context: LambdaContext, telemetry: Telemetry) -> Answer:
        try:
            deployment = Deployment.from_environment(os.environ, self.config)
            around = triggers.Surroundings(os.environ, self.config, deployment, context.aws_request_id, self.clock())
            run = triggers.read(event, around)
        except InvalidEventError as error:
            telemetry.warning("invalid", field=error.field, reason=str(error))
            return _answer(400, status="invalid", message=str(error))
        telemetry.job(run.job_id, run.hop)
        telemetry.event("start", bucket=run.job.bucket, prefix=run.job.prefix, job_key=run.job.job_key)
        if run.hop == 0:
            why = "JOBS_TABLE is not set" if deployment.jobs_table is None else "this version has no ledger"
            telemetry.warning("unfenced", reason=f"{why}: duplicate deliveries are not fenced")
        hop = _Hop(run, context, deployment, telemetry)
        try:
            outcome, place = asyncio.run(self._work(hop))
        except PresignSiblingsError as error:
            self._failed(hop, error)
            raise
        self._count(hop, outcome)
        return self._completed(hop, outcome) if place is None else self._hand_over(hop, outcome, place)

    async def _work(self, hop: _Hop) -> tuple[Outcome, Continuation | None]:
        """
        Run the pipeline.

        :return: The outcome, and where the sibling goes on when the manifest is not complete.
        """
        run, job = hop.run, hop.run.job
        async with open_s3(hop.deployment.endpoint_url, job.concurrency) as (client, secret_key):
            store = CheckpointStore(client, run)
            start = await store.load()
            signer = await open_signer(
                client, secret_key, bucket=job.bucket, expiry_seconds=job.expiry_seconds, clock=self.clock
            )
            if signer.fallback_reason is not None:
                hop.telemetry.warning("signer_fallback", reason=signer.fallback_reason)
            outcome = await Pipeline(
                job=job,
                lister=Lister(client, job, (job.manifest_prefix, hop.deployment.manifest_prefix)),
                signer=signer,
                writer=ManifestWriter(client, job, run.job_id, start.upload),
                observer=hop.telemetry,
                time_left=lambda: time_left(hop.context, hop.deployment.shutdown_period),
                queue_max=hop.deployment.queue_max,
                clock=self.clock,
            ).run(start)
            if not outcome.complete:
                return outcome, run.after(outcome.checkpoint, await store.save(outcome.checkpoint))
            self.manifest_url = await client.generate_presigned_url(
                "get_object",
                Params={"Bucket": job.manifest_bucket, "Key": job.manifest_key(run.job_id)},
                ExpiresIn=job.expiry_seconds,
            )
            return outcome, None

    def _completed(self, hop: _Hop, outcome: Outcome) -> Answer:
        at, job = outcome.checkpoint, hop.run.job
        facts = {
            "count": at.count,
            "errors": at.errors,
            "manifest_key": job.manifest_key(hop.run.job_id),
            "expires_at": at.expires_at.strftime(ISO) if at.expires_at else None,
            "hops": hop.run.hop + 1,
            "pages": at.pages,
        }
        hop.telemetry.event("complete", **facts, manifest_bucket=job.manifest_bucket, size=outcome.size)
        self._close_task(job.task_id)
        return _answer(200, status="complete", job_id=hop.run.job_id, **facts)

    def _hand_over(self, hop: _Hop, outcome: Outcome, place: Continuation) -> Answer:
        """Pass the guards and call the sibling; a chain that must stop is parked, never lost."""
        count, telemetry = outcome.checkpoint.count, hop.telemetry
        telemetry.event("checkpoint", count=count, pages=outcome.checkpoint.pages, checkpoint=place.checkpoint_key)
        if self.siblings_client is None:
            self.siblings_client = SiblingsManager(custom_config=self.config["siblings_config"])
        guards = Guards(self.siblings_client, hop.deployment.max_hops, hop.deployment.max_job_seconds)
        pages = outcome.checkpoint.pages - outcome.start.pages
        place, reason = guards.check(hop.context, place, pages, self.clock())
        if reason is None:
            reason = self.siblings_client.hand_over(hop.context, place.to_payload())
        if reason is not None:
            resume = place.to_resume()
            telemetry.warning("parked", reason=reason, count=count, resume=resume)
            telemetry.count(Parked=1)
            return _answer(409, status="parked", job_id=place.job_id, reason=reason, resume=resume)
        telemetry.event("handover", count=count, next_hop=place.hop)
        telemetry.count(SiblingsSpawned=1)
        self.stats["siblings_spawned"] += 1
        return _answer(202, status="continued", job_id=place.job_id, hop=place.hop, count=count)

    def _failed(self, hop: _Hop, error: PresignSiblingsError) -> None:
        terminal = isinstance(error, TerminalError)
        hop.telemetry.error("failed", error=type(error).__name__, reason=str(error), terminal=terminal)
        if terminal and hop.run.job.task_id:
            try:
                self.mark_task_as_failed(hop.run.job.task_id)
            except (BotoCoreError, ClientError) as refused:
                # The job's own error is the one that Lambda must see.
                hop.telemetry.warning("task_not_closed", error=type(refused).__name__)

    def _count(self, hop: _Hop, outcome: Outcome) -> None:
        """Put the hop's own numbers into the metrics, and where sosw looks for them."""
        before, after = outcome.start, outcome.checkpoint
        count, errors = after.count - before.count, after.errors - before.errors
        pages, size = after.pages - before.pages, outcome.size - before.upload.size
        hop.telemetry.count(
            PDFsProcessed=count + errors,
            PresignCount=count,
            PresignErrors=errors,
            S3ListPages=pages,
            ManifestBytes=size,
        )
        for name, value in {"count": count, "errors": errors, "pages": pages, "manifest_bytes": size}.items():
            self.stats[name] += value
        self.result.update(count=after.count, errors=after.errors)

    def _close_task(self, task_id: str | None) -> None:
        """Close sosw's task; only the last sibling comes here."""
        super().__call__({"task_id": task_id} if task_id else {}, reset_result=False)


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one invocation works with."""

    run: Continuation
    context: LambdaContext
    deployment: Deployment
    telemetry: Telemetry


def _answer(status_code: int, **body: object) -> Answer:
    return {"statusCode": status_code, "body": json.dumps(body)}


global_vars = LambdaGlobals()
_sosw_handler = get_lambda_handler(Processor, global_vars)


def lambda_handler(event: object, context: LambdaContext) -> Answer:
    """
    Answer one invocation.

    :param event:   As section "event" of the README describes it.
    :param context: Lambda's context.
    :return: ``{"statusCode": ..., "body": "<JSON>"}``; ``manifest_url`` is added here, after sosw has logged the rest.
    """
    answer = _sosw_handler(event if isinstance(event, dict) else triggers.no_object(event), context)
    processor: Processor = global_vars.processor
    return processor.with_manifest_url(answer)
