"""
The network between an invocation and the world: latency, faults, partitions, and death.

A request that has been sent is the world's: its sender may be cancelled or killed, and it still takes effect, or not,
as the seed says. After an invocation's death its code sends nothing.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import ClientPayloadError
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.fakes import refuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.loop import VirtualLoop
    from tests.simulation.plan import Plan

CURRENT: ContextVar[Invocation] = ContextVar("CURRENT")
_CODES = {
    "s3": ("SlowDown", "InternalError", "RequestTimeout"),
    "dynamodb": ("ProvisionedThroughputExceededException", "InternalServerError", "ThrottlingException"),
    "states": ("ThrottlingException", "InternalServerError"),
}
_WEIGHT = {"complete_multipart_upload": 8, "upload_part_copy": 2, "create_multipart_upload": 2, "head_object": 2}
_WEIGHT |= {"put_item": 2, "update_item": 2, "put_object": 2}  # where a death matters
_GIVES_UP = {
    "s3": 211.0,
    "dynamodb": 27.0,
    "states": 27.0,
}  # seconds until botocore has had its last try (processor/aws/clients.py)
_STORMED = frozenset({"list_objects_v2", "put_object", "upload_part", "upload_part_copy"})
_STORMED |= {"create_multipart_upload", "complete_multipart_upload"}
TRIES = 6  # by botocore, until it gives a request up


class Killed(BaseException):
    """The invocation is dead; no code of the processor may catch this."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Hold an invocation's requests back until ``end``; then they arrive or are lost."""

    start: float
    end: float
    services: tuple[str, ...]
    gives_up: bool
    arrives: bool


@dataclass(eq=False, slots=True)
class Invocation:
    """
    One invocation, as the world knows it.

    :param holder:   Name of its claim.
    :param skew:     Error of its clock in seconds.
    :param dead:     Cause of its death.
    :param queued:   Its event is a message, which is delivered again until it is done.
    :param accepted: Lambda accepted its sibling, and said so.
    :param done:     Its event has done its part: a message leaves its queue.
    :param saw:      Answers to its guards.
    """

    number: int
    name: str
    request_id: str
    holder: str
    skew: float
    deadline: float
    partition: Partition | None
    resume: bool
    fresh: bool
    event_hop: int
    dead: str | None = None
    accepted: bool = False
    worked: bool = False
    queued: bool = False
    done: bool = True
    saw: dict[str, Any] = field(default_factory=dict)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def check(self) -> None:
        """Stop the code of a dead invocation."""
        if self.dead is not None:
            raise Killed(self.dead)

    def kill(self, cause: str) -> None:
        """Kill it: SIGKILL, or Lambda's timeout."""
        if self.dead is None:
            self.dead = cause
        for task in self.tasks:
            task.cancel()


@dataclass(slots=True)
class _Packet:
    """A request on its way; ``survives`` says whether it outlives the sender."""

    invocation: Invocation
    service: str
    operation: str
    serve: Callable[[], Any]
    answer: asyncio.Future[Any]
    before: float
    after: float
    fault: str
    survives: bool
    abandoned: bool = False

    @property
    def orphaned(self) -> bool:
        """Whether nothing waits for the answer any more."""
        return self.abandoned or self.invocation.dead is not None


class Network:
    """
    Carries requests.

    :param trace: Called with words for each event.
    """

    def __init__(self, loop: VirtualLoop, random: Random, plan: Plan, trace: Callable[..., None]) -> None:
        self.loop, self._random, self._plan, self._trace = loop, random, plan, trace
        self.orphans = 0

    @property
    def calm(self) -> bool:
        """Whether the time of faults is over."""
        return self.loop.time() >= self._plan.calm_at

    async def request(self, invocation: Invocation, service: str, operation: str, serve: Callable[[], Any]) -> Any:
        """
        Send a request, and wait for its answer.

        :param serve: The world's part when it arrives.
        """
        invocation.check()
        packet = self._packet(invocation, service, operation, serve)
        self.loop.call_later(packet.before, self._arrive, packet)
        if packet.fault == "held":
            self.loop.call_later(_GIVES_UP[service], self._answer, packet, ReadTimeoutError(endpoint_url=service))
        try:
            return await packet.answer
        except asyncio.CancelledError:
            packet.abandoned = True
            raise
        finally:
            invocation.check()

    async def pause(self, invocation: Invocation) -> None:
        """Take time for work without an effect here."""
        invocation.check()
        await asyncio.sleep(self._latency())
        invocation.check()

    def payload_is_cut(self) -> bool:
        """Draw whether an object's body breaks off."""
        return not self.calm and self._random.random() < self._plan.rates.call

    def _packet(self, invocation: Invocation, service: str, operation: str, serve: Callable[[], Any]) -> _Packet:
        random, now, partition = self._random, self.loop.time(), invocation.partition
        before, after, fault = self._latency(), self._latency(), ""
        survives = random.random() < 0.6
        if not self.calm and random.random() < self._plan.rates.call * _WEIGHT.get(operation, 1):
            fault = random.choice(["refused", "timeout", "lost", "lost", "doubled", "slow", "slow", "dies", "dies"])
            if fault == "dies":
                self.loop.call_later(
                    random.random() * 2 * self._plan.pace, invocation.kill, f"in {operation}", context=Context()
                )
                before += random.choice([0.0, 1.0, 60.0, 200.0]) * random.random()
            if fault == "slow":
                before += random.uniform(0, 0.9 * _GIVES_UP[service]) * random.choice([0.2, 1])
        if partition is not None and service in partition.services and partition.start <= now < partition.end:
            before += partition.end - now
            fault = "held" if partition.gives_up and before > _GIVES_UP[service] else fault
            fault = fault if partition.arrives else "timeout"
            survives = partition.arrives
        if service == "states" and self._plan.silent[0] <= now < self._plan.silent[1] and not self.calm:
            before += self._plan.silent[1] - now
            fault = "held" if before > _GIVES_UP[service] else fault
        if operation in _STORMED and self._storms(now):
            before, fault = before + random.uniform(0, TRIES) * self._plan.pace, "refused"
        answer = self.loop.create_future()
        return _Packet(invocation, service, operation, serve, answer, before, after, fault, survives)

    def _storms(self, now: float) -> bool:
        start, end, chance = self._plan.storm
        return start <= now < end and not self.calm and self._random.random() < chance

    def _latency(self) -> float:
        return self._plan.pace * self._random.uniform(0.05, 0.95)

    def _arrive(self, packet: _Packet) -> None:
        if packet.orphaned and not packet.survives:
            return
        if packet.fault in {"refused", "timeout"}:
            self._trace(packet.invocation, packet.operation, packet.fault)
            self._answer(packet, self._refusal(packet))
            return
        self.orphans += packet.orphaned or packet.answer.done()
        outcome = self._serve(packet)
        if packet.fault == "doubled":  # botocore's own second try, after a lost answer
            outcome = self._serve(packet)
        if packet.fault == "lost":
            outcome = ReadTimeoutError(endpoint_url=packet.service)
        self.loop.call_later(packet.after, self._answer, packet, outcome)

    def _serve(self, packet: _Packet) -> Any:
        how = [word for word in (packet.fault, "orphaned" if packet.orphaned else "") if word]
        try:
            answer = packet.serve()
        except ClientError as error:
            self._trace(packet.invocation, packet.operation, *how, error.response["Error"]["Code"])
            return error
        self._trace(packet.invocation, packet.operation, *how)
        return answer

    def _refusal(self, packet: _Packet) -> Exception:
        if packet.fault == "refused":
            return refuse(self._random.choice(_CODES[packet.service]), packet.operation, 503)
        return ConnectTimeoutError(endpoint_url=packet.service)

    def _answer(self, packet: _Packet, outcome: Any) -> None:
        if packet.answer.done() or packet.orphaned:
            return
        if isinstance(outcome, Exception):
            packet.answer.set_exception(outcome)
        else:
            packet.answer.set_result(outcome)


def broken_payload() -> Exception:
    """Return aiohttp's error for a body that breaks off."""
    return ClientPayloadError("Response payload is not completed")


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None) -> asyncio.Task[Any]:
    """Create a task of its invocation, so that it dies with it."""
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context)
    invocation = CURRENT.get(None) if context is None else context.get(CURRENT)
    if invocation is not None:
        invocation.tasks.append(task)
        if invocation.dead is not None:
            task.cancel()
    return task
