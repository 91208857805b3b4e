"""
Lambda: its asynchronous queue (at least once, two retries, then the on-failure record), and its invocations.

An SQS queue before it delivers a message until it is done, five times at most, and its dead-letter queue is redriven.
"""

from __future__ import annotations

import asyncio
import json
from contextvars import Context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from processor.errors import PresignSiblingsError
from processor.events import sqs
from tests.simulation.clients import holder_name
from tests.simulation.network import CURRENT, Invocation, Partition

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from tests.simulation.world import World

RETRIES = (60.0, 120.0)  # seconds
RECEIVES, VISIBLE_AGAIN = 5, 6  # the template's maxReceiveCount, and timeouts until a message is delivered again
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Message:
    """
    An event on its way.

    :param waits: The caller waits for the answer: Lambda does not retry.
    :param queued: SQS delivers the event until it is done.
    :param tries: Number of tries so far.
    """

    name: str
    event: dict[str, Any]
    request_id: str
    waits: bool = False
    queued: bool = False
    tries: int = 0

    @property
    def asked(self) -> dict[str, Any]:
        """The event itself, taken out of failed replays and of the state machine's wrapping."""
        event = self.event
        while "requestPayload" in event:
            event = event["requestPayload"]
        asked: dict[str, Any] = event.get("chain", event)
        return asked


class Queue:
    """Delivers, retries, gives up."""

    def __init__(self, world: World, random: Random) -> None:
        self._world, self._random = world, random
        self._invocations = self._requests = 0
        self.running: set[int] = set()
        self.pending = 0
        self.sent: list[Message] = []

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.running and not self.pending

    def submit(
        self, name: str, event: dict[str, Any], delay: float = 0.0, *, waits: bool = False, times: int = 1
    ) -> None:
        """
        Send an event.

        :param times: Deliveries, each with a request id of its own, as EventBridge makes them.
        """
        for _ in range(times):
            self._requests += 1
            message = Message(name, event, f"request-{self._requests}", waits)
            self.sent.append(message)
            self._after(delay, message)
            if not waits and self._strikes(self._world.plan.rates.duplicate):
                self._after(delay + self._random.choice([0.1, 60.0, HOUR]) * self._random.random(), message)

    def send(self, message_id: str, event: dict[str, Any], sent: datetime, delay: float) -> None:
        """Send a message; some find no time behind the others of their batch, and a sibling does them as well."""
        alone = sqs.Message(message_id, json.dumps(event), sent).alone()
        message = Message(message_id, alone, message_id, queued=True)
        self.sent.append(message)
        self._after(delay, message)
        if self._strikes(self._world.plan.rates.duplicate):
            self.submit(f"sibling of {message_id}", alone, delay)

    def again(self, message: Message) -> None:
        """Deliver a message once more, with its request id."""
        self._after(0.0, replace(message, waits=False, tries=0))

    def sibling_fate(self) -> str:
        """Draw the fate of an invoke."""
        if not self._strikes(self._world.plan.rates.sibling):
            return "accepted"
        fates = ["refused", "unknown, taken", "unknown, lost", "dropped", "twice", "late", "killed before"]
        return self._random.choice([*fates, "killed after", "twice", "late"])

    def take_sibling(self, payload: dict[str, Any], fate: str) -> None:
        """Queue a sibling's event."""
        random = self._random
        self._requests += 1
        message = Message(f"hop {payload['hop']}", payload, f"request-{self._requests}")
        self.sent.append(message)
        delay = random.uniform(0, 1)
        if fate == "late" or (fate == "unknown, taken" and random.random() < 0.5):
            delay = random.choice([20.0, 90.0, HOUR]) * random.random()
        self._after(delay, message)
        if fate == "twice":
            self._after(random.choice([0.0, 1.0, 100.0, HOUR]) * random.random(), message)

    def _strikes(self, chance: float) -> bool:
        return not self._world.network.calm and self._random.random() < chance

    def _after(self, delay: float, message: Message) -> None:
        self.pending += 1
        self._world.loop.call_later(delay, self._begin, message, context=Context())

    def _begin(self, message: Message) -> None:
        reserved = 0 if self._world.holds("closed") else self._world.plan.reserved
        self.pending -= 1
        if reserved is None or len(self.running) < reserved:
            self._invocations += 1
            self.running.add(self._invocations)
            task = self._world.loop.create_task(self._try(message, self._invocations), context=Context())
            self._world.keep(task)
        elif not message.waits:  # throttled: Lambda keeps the event
            self._after(self._random.uniform(1, 60), message)

    async def _try(self, message: Message, number: int) -> None:
        try:
            succeeded = await self._invoke(message, number)
        finally:
            self.running.discard(number)
        if succeeded or message.waits:
            return
        if message.queued:
            tries = 0 if self._strikes(0.3) else message.tries + 1
            if tries < RECEIVES:
                self._after(VISIBLE_AGAIN * self._world.plan.timeout, replace(message, tries=tries))
        elif message.tries < len(RETRIES):
            self._after(RETRIES[message.tries], replace(message, tries=message.tries + 1))
        elif self._strikes(0.3):
            record = {"version": "1.0", "requestContext": {"requestId": message.request_id}}
            self.submit(f"on-failure record of {message.name}", record | {"requestPayload": message.event}, 30.0)

    async def _invoke(self, message: Message, number: int) -> bool:
        """Run one invocation to its end, or to its death."""
        world, loop = self._world, self._world.loop
        invocation = self._invocation(message, number)
        world.trace(invocation, "begins", message.name, f"try {message.tries + 1}", message.request_id)
        timers = [loop.call_at(invocation.deadline, invocation.kill, "timeout", context=Context())]
        if self._strikes(world.plan.rates.kill):
            instant = self._random.random() * min(world.plan.timeout, 30 * world.plan.pace)
            timers.append(loop.call_later(instant, invocation.kill, "SIGKILL", context=Context()))
        context = Context()
        context.run(CURRENT.set, invocation)
        main = loop.create_task(world.handle(invocation, message.event), context=context)
        await asyncio.wait({main})
        for timer in timers:
            timer.cancel()
        await self._reaped(invocation)
        return self._ended(invocation, main)

    async def _reaped(self, invocation: Invocation) -> None:
        """End a dead invocation's tasks; a live one must have ended its own."""
        left = [task for task in invocation.tasks if not task.done()]
        if left and invocation.dead is None:
            await asyncio.sleep(0)
            left = [task for task in left if not task.done() and "aclose" not in repr(task)]
            if left:
                self._world.watch.complain(invocation, f"left tasks behind: {left}")
        while left := [task for task in left if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.sleep(0)

    def _ended(self, invocation: Invocation, main: asyncio.Task[Any]) -> bool:
        error = asyncio.CancelledError() if main.cancelled() else main.exception()
        if invocation.dead is not None:
            self._world.trace(invocation, "dies:", invocation.dead)
            return False
        if error is None:
            return invocation.done or not invocation.queued
        self._world.trace(invocation, "raises", type(error).__name__, str(error))
        if not isinstance(error, PresignSiblingsError):
            self._world.watch.complain(invocation, f"raised a foreign error: {error!r}", error)
        if invocation.accepted:
            self._world.watch.complain(invocation, f"raised after its sibling was accepted: {error!r}")
        return False

    def _invocation(self, message: Message, number: int) -> Invocation:
        plan, now, random = self._world.plan, self._world.loop.time(), self._random
        event = message.asked
        return Invocation(
            number=number,
            name=f"{message.name}#{number}",
            request_id=message.request_id,
            holder=holder_name(plan.seed, number),
            skew=random.uniform(-2, 2),
            deadline=now + plan.timeout,
            partition=self._partition(now) if self._strikes(plan.rates.hang) else None,
            resume=bool(event.get("resume")),
            fresh=bool(event.get("fresh")),
            event_hop=int(event.get("hop", 0)),
            queued=message.queued,
        )

    def _partition(self, now: float) -> Partition:
        random = self._random
        start = now + random.random() * 20 * self._world.plan.pace
        services = random.choice([("s3",), ("dynamodb",), ("s3", "dynamodb")])
        end = start + random.uniform(20, 300)
        return Partition(start, end, services, gives_up=random.random() < 0.5, arrives=random.random() < 0.7)
