"""A job that several chains share: divided before they begin, given to the state machine, and gathered after them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import CheckpointLostError, from_client_error
from processor.fanout.gathering import Found, gathered
from processor.fanout.machine import StateMachine
from processor.fanout.plan import divided
from processor.fanout.reporting_ledger import ReportingLedger
from processor.fanout.shares import given_out, shared
from processor.job import Gathered
from processor.ledger import COMPLETE
from processor.together import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from types_aiobotocore_s3 import S3Client

    from processor.aws import Connections
    from processor.job import Checkpoint, DeploymentSettings, SiblingPayload, WrittenRange
    from processor.ledger import Ledger, Record
    from processor.listing import KeyMap, Lister

READ_AT_ONCE = 32


class FanOut:
    """
    Divides and gathers the jobs of a deployment.

    :param arn:         ARN of the state machine.
    :param connections: Opens the clients.
    """

    def __init__(self, arn: str, connections: Connections) -> None:
        self.machine = StateMachine(arn, connections.states)

    @classmethod
    def of(cls, deployment: DeploymentSettings, connections: Connections) -> FanOut | None:
        """Return what divides jobs, where the deployment can."""
        machine = deployment.state_machine
        return None if machine is None or deployment.jobs_table is None else cls(machine, connections)

    async def divided(
        self, start: Checkpoint, lister: Lister, key_map: KeyMap | None, time_left: Callable[[], float]
    ) -> Checkpoint:
        """
        Divide a job that begins.

        :param start: The job's whole key space as one range.
        """
        return await divided(start, lister, key_map, time_left)

    async def gathered(
        self,
        start: Checkpoint,
        place: SiblingPayload,
        ledger: Ledger,
        load: Callable[[SiblingPayload], Awaitable[Checkpoint]],
        lister: Lister,  # noqa: ARG002 - the state machine knows no half of a range
    ) -> Gathered:
        """
        Take up what the chains have written.

        :param start: The job's ranges, as they were given out.
        :param load:  Reads a chain's checkpoint.
        """
        if start.is_listed or not isinstance(ledger, ReportingLedger):
            return Gathered(start)
        reading = asyncio.Semaphore(READ_AT_ONCE)

        async def find(written: WrittenRange) -> Found:
            if written.range.done:
                return Found(written)
            async with reading:
                record = await ledger.ledger.read(shared(written, place).ledger_key)
                if record is None:
                    return Found(written)
                return Found(written, record.state, record.reason, await _loaded(record, load))

        return gathered(start, await together(map(find, start.ranges)))

    async def store(self, client: S3Client, place: SiblingPayload, checkpoint: Checkpoint, holder: str) -> str:
        """
        Store the plan, a line for each range that is not done; return its key.

        :param place: Where the job continues when all of its ranges are done.
        :param holder: Names the claim, so that no other claim writes over the plan.
        :raises PresignSiblingsError: It cannot be stored.
        """
        job = place.job
        key = f"{job.checkpoint_prefix(place.job_id)}{place.hop:06d}-plan-{holder}.jsonl"
        lines = [json.dumps(each.to_payload()) for each in given_out(checkpoint, place)]
        try:
            await client.put_object(Bucket=job.manifest_bucket, Key=key, Body="\n".join(lines).encode())
        except (ClientError, BotoCoreError) as error:
            raise from_client_error(error, f"write s3://{job.manifest_bucket}/{key}") from error
        return key


async def _loaded(record: Record, load: Callable[[SiblingPayload], Awaitable[Checkpoint]]) -> Checkpoint | None:
    """Read a chain's last checkpoint; a chain whose checkpoint is lost begins again by itself."""
    try:
        return None if record.place.checkpoint_key is None else await load(record.place)
    except CheckpointLostError:
        if record.state == COMPLETE:
            raise
        return None
