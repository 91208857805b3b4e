"""One seed's history: played until the faults stop, then recovered as a deployment would be, then checked."""

from __future__ import annotations

import asyncio
import copy
import json
from contextvars import Context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from processor.ledger import COMPLETE, FANNED_OUT, LIVE, PARKED, RESUMABLE
from tests.simulation.plan import NEVER, PREFIX, draw
from tests.simulation.proof import CHECKPOINTS, manifests, prove
from tests.simulation.world import EPOCH, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tests.simulation.plan import Arrival

ROUNDS = 100  # recovery events, at most; a budget may be one hop
LANDED = 600.0
FIRED = 2.0  # seconds after its time that a schedule starts the function: more than clocks differ by
PATIENCE = 200_000.0  # virtual seconds until the queue must be empty


@dataclass(frozen=True, slots=True)
class Report:
    """
    The end of a history.

    :param breaches: Broken invariants.
    :param trace:    All events, a line each.
    """

    seed: int
    breaches: list[str]
    trace: list[str]
    invocations: int
    runs: int
    takeovers: int
    parked: tuple[str, ...]
    kills: int
    orphans: int
    late_writes: int
    multipart: bool
    recoveries: int

    def __str__(self) -> str:
        text = "\n".join([*self.trace, "", *self.breaches])
        return f"seed {self.seed}: {len(self.breaches)} breaches\n{text}"


def play(seed: int, *, finds: str | None = None, **changes: Any) -> Report:
    """
    Play one seed's history.

    :param finds:   Words of a breach: once it is found, the history is not recovered to its end, which may be far.
    :param changes: Replace what the seed draws, to make something rare more frequent.
    """
    world = World(replace(draw(seed), **changes))
    history = _History(world, finds)
    try:
        with world.opened():
            try:
                world.loop.run_until_complete(history.run())
            except Exception as error:  # noqa: BLE001 - a history that cannot be played to its end is a breach too
                world.watch.complain(None, f"the history broke off: {error!r}", error)
            world.loop.run_until_complete(world.loop.shutdown_asyncgens())
    finally:
        world.loop.close()
    return history.report()


class _History:
    def __init__(self, world: World, finds: str | None) -> None:
        self._world, self._finds, self._recoveries = world, finds, 0

    async def run(self) -> None:
        """Play, recover, repeat, check."""
        world, plan = self._world, self._world.plan
        for arrival in plan.arrivals:
            self._submit(arrival)
        if plan.beside is not None:
            world.queue.submit("another job", {"prefix": plan.beside[0]}, plan.beside[1])
        for at, happens in (
            (plan.stop_at, self._stop),
            (plan.resumed_at, self._resume),
            (plan.aborted_at, world.machine.abort),
            (plan.emptied_at, self._empty),
            (plan.replayed_at, self._replay),
            (plan.upload_lost_at, self._lose_uploads),
            (plan.objects_lost[0], self._lose_objects),
        ):
            if at is not NEVER:
                world.loop.call_at(at, happens, context=Context())
        await asyncio.sleep(plan.calm_at)
        world.trace(None, "calm")
        await self._idle()
        await self._recover(PREFIX)
        if plan.beside is not None:
            await self._recover(plan.beside[0])
        if not self._is_found:
            if plan.emptied_at is NEVER:  # an event of a run that the table has forgotten is a new submission
                await self._repeat()
            prove(world)

    def report(self) -> Report:
        """Return the report of the history."""
        world, watch = self._world, self._world.watch
        began = [invocation for _, invocation, words in world.lines if words[0] == "begins" and invocation]
        return Report(
            seed=world.plan.seed,
            breaches=watch.breaches,
            trace=[_line(at, invocation and invocation.name, words) for at, invocation, words in world.lines],
            invocations=len(began),
            runs=len(watch.begun),
            takeovers=watch.takeovers,
            parked=tuple(watch.parked),
            kills=sum(invocation.dead is not None for invocation in began),
            orphans=world.network.orphans,
            late_writes=watch.late_writes,
            multipart=bool(world.bucket.closed or world.bucket.uploads),
            recoveries=self._recoveries,
        )

    @property
    def _is_found(self) -> bool:
        return self._finds is not None and any(self._finds in breach for breach in self._world.watch.breaches)

    def _submit(self, arrival: Arrival) -> None:
        queue = self._world.queue
        if arrival.kind == "schedule":
            number = round(arrival.at)
            event = schedule(number, self._time(arrival.at))
            at = arrival.at + FIRED
            queue.submit(f"schedule {number}", event, at, times=arrival.times)
            if self._world.plan.twins:
                queue.submit(f"twin {number}", event | {"id": f"twin-{number}"}, at)
            return
        event = {"fresh": True} if arrival.kind == "fresh" else {}
        event |= {"force": True} if self._world.plan.forced else {}
        if arrival.kind == "message":
            for number in range(arrival.times):
                queue.send(f"message-{arrival.at}-{number}", event, self._time(arrival.at), arrival.at)
            return
        waits = arrival.kind == "direct"
        queue.submit(arrival.kind, event, arrival.at, waits=waits, times=arrival.times)

    def _time(self, at: float) -> datetime:
        return EPOCH.fromtimestamp(EPOCH.timestamp() + at, tz=EPOCH.tzinfo)

    def _stop(self) -> None:
        """Set the stop flag as an operator does: that attribute alone."""
        item = self._world.item
        if item is not None:
            self._world.trace(None, "an operator stops the chain")
            item["stop"] = {"BOOL": True}

    def _empty(self) -> None:
        self._world.trace(None, "somebody empties the jobs table")
        self._world.table.items.clear()
        self._world.watch.forget()

    def _replay(self) -> None:
        self._world.trace(None, "a person replays every event so far")
        for message in list(self._world.queue.sent):
            record = {"version": "1.0", "requestContext": {"requestId": message.request_id}}
            self._world.queue.submit(f"replay of {message.name}", record | {"requestPayload": message.event})

    def _lose_uploads(self) -> None:
        self._world.trace(None, "the lifecycle rule aborts open uploads")
        for upload_id in list(self._world.bucket.uploads):
            self._world.bucket.call("abort_multipart_upload", {"UploadId": upload_id})

    def _lose_objects(self) -> None:
        objects, of = self._world.bucket.objects, self._world.plan.objects_lost[1]
        lost = [key for key in objects if CHECKPOINTS in key and of in key.rpartition(CHECKPOINTS)[2].partition("/")[2]]
        self._world.trace(None, "objects are deleted", lost)
        for key in lost:
            del objects[key]

    def _resume(self) -> None:
        """Resume as an operator does who takes the job for dead, with the place that ``status`` shows."""
        record = self._world.watch.view()
        if record is not None and record.hop > 0:
            self._world.queue.submit("resume too soon", record.place | {"resume": True})

    async def _idle(self) -> None:
        until = self._world.loop.time() + PATIENCE
        while not (self._world.queue.idle and self._world.machine.idle):
            await asyncio.sleep(20)
            if self._world.loop.time() > until:
                raise TimeoutError("the queue is never empty")

    async def _recover(self, prefix: str) -> None:
        """
        Deliver what recovers a job: the next schedule (or submission), and ``resume`` for a parked one.

        Of jobs that died repeatedly, or were refused, the operator resumes every other one.
        """
        world = self._world
        scheduled = prefix == PREFIX and world.plan.arrivals[0].kind == "schedule"
        for _ in range(ROUNDS):
            record = world.watch.view(prefix)
            if self._is_found or (record is not None and record.state == COMPLETE):
                return
            dead = record is not None and record.hop > 0 and record.reason in RESUMABLE
            if record is not None and (record.state == PARKED or (dead and world.plan.seed % 2)):
                world.queue.submit("resume", record.place | {"resume": True}, times=1 + world.plan.seed % 2)
            else:
                waits = record is not None and record.state != FANNED_OUT  # an ended execution is asked about at once
                await asyncio.sleep(max(0.0, record.lease_until - world.loop.time()) + 5 if record and waits else 0)
                now = round(world.loop.time())
                event = schedule(now, self._time(now)) if scheduled else {"prefix": prefix}
                world.queue.submit("recovery", event)
            self._recoveries += 1
            await self._idle()
        world.watch.complain(None, f"not complete after {ROUNDS} recoveries: {world.watch.view(prefix)}")

    def _left(self) -> set[tuple[str, int]]:
        """
        Return ranges of abandoned runs, whose chains died at the last try of their event.

        These are never recovered; such an event, delivered again, writes a page before it learns that.
        """
        record, found = self._world.watch.view(), set[tuple[str, int]]()
        for item in self._world.table.items.values():
            of = _range(json.loads(item["place"]["S"]))
            if of is not None and item["state"]["S"] in LIVE and (record is None or of[0] != record.place["job_id"]):
                found.add(of)
        return found

    async def _repeat(self) -> None:
        """Deliver each processed event again: nothing may change."""
        world = self._world
        await asyncio.sleep(LANDED)  # requests under way when their sender died have arrived
        worked = {name.request_id for _, name, _ in world.lines if name is not None and name.worked}
        left = self._left()
        before = copy.deepcopy((world.bucket.objects, world.table.items, sorted(world.bucket.uploads)))
        world.trace(None, "each event once more")
        for message in world.queue.sent:
            if message.request_id in worked and _range(message.asked) not in left:
                world.queue.again(message)
        await self._idle()
        after = world.bucket.objects, world.table.items, sorted(world.bucket.uploads)
        if after != before:
            names = sorted(set(manifests(world)) - set(before[0]))
            world.watch.complain(None, f"a repeated event changed something; new manifests: {names}")


def schedule(number: int, time: datetime) -> dict[str, object]:
    """Return EventBridge's event of a schedule."""
    return {
        "id": f"tick-{number}",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": {},
    }


def _line(at: float, name: str | None, words: tuple[object, ...]) -> str:
    return f"{at:10.3f}  {name or '-':24}  {' '.join(map(str, words))}"


def _range(place: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the run and the range that a payload is about, if it is about a range."""
    share = place.get("share")
    return None if share is None else (place["job_id"], share["number"])
