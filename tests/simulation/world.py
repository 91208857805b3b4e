"""The world of one history: the services that all invocations share, and the processor's own code run in it."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import UUID

from processor.aws import Connections
from processor.chain import Hop, checkpoint_store, execution, open_ledger
from processor.events import One, Surroundings, read, withheld
from processor.fanout import FanOut, reporting
from processor.job import DeploymentSettings
from processor.ledger import Claim
from processor.listing import open_listing
from processor.manifest import S3PieceStore, composer, part_plan, patience, range_writers
from processor.reporting import Telemetry
from tests.fakes import ARN, SECRET
from tests.memory_s3 import MemoryS3, refuse
from tests.simulation.clients import DynamoConnection, S3Connection, StatesConnection, siblings
from tests.simulation.dynamo import Item, Table
from tests.simulation.loop import VirtualLoop
from tests.simulation.machine import Machine
from tests.simulation.network import CURRENT, TRIES, Invocation, Network, task_factory
from tests.simulation.plan import PREFIX
from tests.simulation.queue import Queue
from tests.simulation.watch import Watch
from tests.split_listing import splitting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Iterator

    from tests.simulation.plan import Plan

EPOCH = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)


class World:
    """Everything that outlives an invocation."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.loop, self.lines = plan, VirtualLoop(), []  # type: ignore[var-annotated]
        self.loop.set_task_factory(task_factory)
        self.loop.set_exception_handler(lambda _, __: None)  # errors that a dead invocation leaves
        self._random, self._splits = Random(f"world {plan.seed}"), Random(f"splits {plan.seed}")
        self._deployments = [
            DeploymentSettings.from_environment({**plan.environment, "STATE_MACHINE_ARN": machine}, {})
            for machine in (plan.environment["STATE_MACHINE_ARN"], "")
        ]
        self.network = Network(self.loop, Random(f"network {plan.seed}"), plan, self.trace)
        self.machine = Machine(self)
        self.queue = Queue(self, Random(f"queue {plan.seed}"))
        self.watch = Watch(self)
        self.table = Table()
        self.bucket = MemoryS3(
            list(plan.keys),
            token_life=plan.token_life,
            min_part=plan.min_part,
            clock=self.loop.time,
            appeared=self.watch.appeared,
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._uuids = 0

    def trace(self, invocation: Invocation | None, *words: object) -> None:
        """Record an event."""
        self.lines.append((self.loop.time(), invocation, words))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Keep a task of the world's own alive."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def holds(self, window: str) -> bool:
        """Return whether one of the plan's windows is open."""
        start, end = getattr(self.plan, window)
        return bool(start <= self.loop.time() < end and not self.network.calm)

    @property
    def deployment(self) -> DeploymentSettings:
        """The settings of the live version."""
        return self._deployments[self.holds("older")]

    def clock(self, invocation: Invocation | None = None) -> datetime:
        """Return the instant of an invocation's clock."""
        return EPOCH + timedelta(seconds=self.loop.time() + (invocation.skew if invocation else 0.0))

    @property
    def item(self) -> Item | None:
        """The job's own record; each write to it is watched."""
        return self.item_of(PREFIX)

    def item_of(self, prefix: str) -> Item | None:
        """Return the record of a prefix's job; its ranges may have records too."""
        return next((item for item in self.table.items.values() if _is_own(item, prefix)), None)

    def table_call(self, invocation: Invocation, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Serve a request to the jobs table."""
        before = self.item
        answer = self.table.call(operation, request)
        if "#job_id = :job_id" in request.get("ConditionExpression", ""):
            return answer  # a chain reports its progress to the job's record
        if operation != "get_item" and not self._is_own(request):
            self.watch.other_recorded(invocation, self.table.items[_key(request)])
        elif operation != "get_item":
            claims = "holder" in request.get("Item", request.get("ExpressionAttributeNames", {}).values())
            self.watch.recorded(invocation, before, self.item or {}, claims=claims)
        return answer

    def _is_own(self, request: dict[str, Any]) -> bool:
        item = self.table.items.get(_key(request))
        return item is None or _is_own(item, PREFIX)

    def bucket_call(self, invocation: Invocation, operation: str, request: dict[str, Any]) -> Any:
        """Serve a request to S3."""
        if operation == "list_objects_v2" and self.holds("denied"):
            raise refuse("AccessDenied", operation, 403)
        answer = self.bucket.call(operation, request)
        self.watch.s3_served(invocation, operation)
        return answer

    async def handle(self, invocation: Invocation, event: dict[str, Any]) -> None:
        """Do the work of ``processor.app`` on an event, from its reading to its end."""
        event = json.loads(json.dumps(event))
        await self.network.pause(invocation)
        now = self.clock(invocation)
        event, token = withheld(event)
        config = self.plan.config | {"chains": self.plan.chains}
        around = Surroundings({}, config, self.deployment, invocation.request_id, lambda: now, token=token)
        asked = read(event, around)
        if not isinstance(asked, One):
            self.trace(invocation, "answers", 400, asked)
            return
        worker = Hop(
            context=_context(self, invocation),
            deployment=self.deployment,
            telemetry=_Telemetry(self, invocation),
            siblings=lambda: siblings(self, invocation),
            clock=lambda: self.clock(invocation),
            connections=self._connections,
            in_thread=self._in_thread,
            ledger=reporting(open_ledger),
            fan_out=FanOut.of(self.deployment, self._connections),
        )
        claim = Claim(
            run=asked.run,
            resume=asked.resume,
            time=asked.time,
            holder=invocation.holder,
            now=now,
            token=asked.token,
            waits=invocation.queued,
        )
        ended = await worker.run(claim)
        invocation.done = ended.done
        body = {name: value for name, value in ended.body.items() if name != "resume"}
        self.trace(invocation, "answers", ended.status.code, body)
        self.watch.answered(invocation, ended.status.code, ended.body)

    def uuid4(self) -> UUID:
        """Return ids that a replay repeats."""
        self._uuids += 1
        return UUID(int=Random(f"uuid {self.plan.seed} {self._uuids}").getrandbits(128))

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Replace the processor's connections to AWS by the world."""
        changes = {
            (checkpoint_store, "uuid4"): self.uuid4,
            (S3PieceStore, "part"): self.plan.min_part,
            (range_writers, "HELD"): self.plan.held,
            (part_plan, "COPIED"): 2 * self.plan.min_part,
            (composer, "QUICKLY"): self.plan.quickly,
            (patience, "DROP_SECONDS"): TRIES * self.plan.pace,
            (execution, "open_listing"): self._open_listing,
        }
        with contextlib.ExitStack() as stack:
            for (module, name), value in changes.items():
                stack.enter_context(mock.patch.object(module, name, value))
            yield

    async def _in_thread(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        """Call without a thread, which would not be deterministic."""
        await self.network.pause(CURRENT.get())
        answer = call(*args, **kwargs)
        await self.network.pause(CURRENT.get())
        return answer

    def _open_listing(self, lister: Any, *args: Any) -> Any:
        """List by one chain of tokens, or by ranges that are split anywhere."""
        opened = open_listing if lister.job.concurrency == 1 else splitting(self._splits, self.plan.keys)
        return opened(lister, *args)

    @property
    def _connections(self) -> Connections:
        return Connections(s3=self._open_s3, dynamodb=self._open_dynamodb, states=self._open_states)

    @contextlib.asynccontextmanager
    async def _open_states(self) -> AsyncIterator[Any]:
        yield StatesConnection(self, CURRENT.get())

    @contextlib.asynccontextmanager
    async def _open_s3(self, *_: Any) -> AsyncIterator[tuple[Any, str]]:
        yield S3Connection(self, CURRENT.get()), SECRET

    @contextlib.asynccontextmanager
    async def _open_dynamodb(self) -> AsyncIterator[Any]:
        yield DynamoConnection(self, CURRENT.get())


def _is_own(item: Item, prefix: str) -> bool:
    place = json.loads(item["place"]["S"])
    return "share" not in place and place["job"]["prefix"] == prefix


def _key(request: dict[str, Any]) -> str:
    return str((request.get("Item") or request["Key"])["job_key"]["S"])


def _context(world: World, invocation: Invocation) -> Any:
    return SimpleNamespace(
        aws_request_id=invocation.request_id,
        function_name="presign",
        function_version="7",
        invoked_function_arn=f"{ARN}:live",
        get_remaining_time_in_millis=lambda: round((invocation.deadline - world.loop.time()) * 1000),
    )


class _Telemetry(Telemetry):
    """Telemetry that goes into the trace."""

    def __init__(self, world: World, invocation: Invocation) -> None:
        super().__init__("Simulation", "presign", invocation.request_id)
        self._world, self._invocation = world, invocation

    def event(self, name: str, **fields: object) -> None:
        self._world.trace(self._invocation, name, {k: v for k, v in fields.items() if k != "resume"})

    warning = event
    error = event

    def page(self, counts: Any, listed: int) -> None:
        self._world.trace(self._invocation, "page", counts.pages, f"of {listed}")
