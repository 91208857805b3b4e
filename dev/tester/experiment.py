"""One run: the chain and the seed's handler, followed to their ends, with the faults that the form asks for."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dev.aws import stack
from dev.tester import baseline
from dev.tester.baseline import OneShot
from dev.tester.log_reader import Reader
from dev.tester.timeline import Timeline, thinned
from presign_siblings.remote import start
from processor.ledger import COMPLETE, FAILED, HANDED_OVER, RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dev.tester.faults import Faults
    from dev.tester.log_reader import Line
    from dev.tester.services import Services
    from dev.tester.settings import Settings
    from presign_siblings.remote.job_snapshot import JobSnapshot
    from processor.ledger import Record

SAMPLE_SECONDS, EAGER_SECONDS, LOG_SECONDS = 0.05, 0.01, 0.3
STARTING = "starting"  # no hop has begun yet
OVER = frozenset({COMPLETE, FAILED})
MAX_LINES = 5000
LAST_LINES_SECONDS = 20.0  # the log of the last hop arrives within this time


@dataclass(slots=True)
class Experiment:
    """
    One run.

    :param number:   Number of the run in this session.
    :param keys:     Keys that the manifest must hold, sorted.
    :param switch:   Called when a fault is switched on.
    :param lost:     Returns the events that Lambda has put into the on-failure queue.
    """

    services: Services
    faults: Faults
    settings: Settings
    number: int
    keys: Sequence[str]
    switch: Callable[[str, bool], None]
    began: float = field(default_factory=time.time)
    ended: float | None = None
    snapshot: JobSnapshot | None = None
    ranges: list[JobSnapshot] = field(default_factory=list)
    planned: int = 0
    lines: list[Line] = field(default_factory=list)
    lost: int = 0
    abandoned: threading.Event = field(default_factory=threading.Event)
    seed: OneShot | None = None
    timeline: Timeline = field(init=False)
    _killed: set[int] = field(default_factory=set)
    _switched: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin the timeline with the run."""
        self.timeline = Timeline(self.settings.job.job_key, self.began)

    def follow(self) -> None:
        """Invoke, and sample until everything has ended, the last log lines too; a parked chain may be resumed."""
        readers = [Reader(self.services.logs, self.services.deployed.log_group, "chain", self.began)]
        if self.settings.seed:
            event = {**self.settings.event, "prefix": self.settings.job.prefix}
            self.seed = OneShot(self.services, event, self.settings.timeout)
            readers.append(Reader(self.services.logs, baseline.LOGS, "seed", self.began))
            threading.Thread(target=self.seed.run, daemon=True).start()
        self.send(dict(self.settings.event))
        next_log = 0.0
        while not self.abandoned.wait(self._pause()):
            now = time.time()
            self._sample(now)
            if now >= next_log:
                self._read(readers)
                next_log = now + LOG_SECONDS
            if self._is_over(now):
                return

    def _pause(self) -> float:
        """Return the wait between samples: short while a fault waits for a hop, which may last only 0.1 s."""
        settings = self.settings
        wanted = {"rule": settings.rule_off_at, "throttle": settings.throttle_at}
        due = [name for name, at in wanted.items() if at is not None and name not in self._switched]
        return EAGER_SECONDS if due or settings.kill_hops - self._killed else SAMPLE_SECONDS

    def send(self, event: dict[str, Any]) -> None:
        """Deliver an event as a schedule or a sibling does."""
        start.start(self.services.functions, self.services.deployed, event, self.settings.job.job_key)

    def kill(self) -> bool:
        """Kill the runtime of the hop that works; return whether there was one."""
        snapshot = self.services.jobs.get(self.settings.job.job_key)
        return snapshot is not None and self._kill(snapshot.record)

    def _kill(self, record: Record) -> bool:
        if record.state != RUNNING:
            return False
        self.timeline.observe(record, time.time())
        killed = self.faults.kill(record.job_key, record.holder)
        if killed:
            self.timeline.kill(record.holder, time.time())
        return killed

    def seed_state(self) -> dict[str, Any] | None:
        """Return the seed's state as JSON values, with times since the beginning of the run."""
        if (seed := self.seed) is None:
            return None
        return {
            "state": seed.state,
            "began": None if seed.began is None else round(seed.began - self.began, 3),
            "ended": None if seed.ended is None else round(seed.ended - self.began, 3),
            "count": seed.count,
            "message": seed.message,
            "points": thinned([(round(at - self.began, 3), count) for at, count in list(seed.points)]),
        }

    def _sample(self, now: float) -> None:
        snapshot = self.services.jobs.get(self.settings.job.job_key)
        if snapshot is not None:
            self.snapshot = snapshot
            self.timeline.observe(snapshot.record, now)
            self._do_harm(snapshot.record)
        if self.seed is not None:
            self.seed.sample(now)

    def _do_harm(self, record: Record) -> None:
        """Switch on the faults that the form asks for at a hop."""
        hop = record.place.hop
        if record.state not in {RUNNING, HANDED_OVER}:
            return
        # At this hop, or at the first later one that a sample shows: running for a kill, at least started for a switch.
        due = [each for each in sorted(self.settings.kill_hops - self._killed) if each <= hop]
        if due and self._kill(record):
            self._killed.add(due[0])
        for name, at, on in (("rule", self.settings.rule_off_at, False), ("throttle", self.settings.throttle_at, True)):
            if at is not None and at <= hop and name not in self._switched:
                self._switched.add(name)
                self.switch(name, on)

    def _read(self, readers: list[Reader]) -> None:
        name: Any = "ApproximateNumberOfMessages"
        queue = self.services.queues.get_queue_attributes(QueueUrl=self.services.queue, AttributeNames=[name])
        self.lost = int(queue["Attributes"][name])
        if self.snapshot is not None and self.settings.job.chains > 1:
            self.ranges = self.services.jobs.ranges(self.snapshot.record.job_id)
            self.planned = max(self.planned, self.snapshot.record.ranges)
            for each in self.ranges:
                self.timeline.observe(each.record, time.time())
        for reader in readers:
            new = reader.new()
            if reader.source == "chain":
                self.timeline.read(new)
            self.lines.extend(new[: MAX_LINES - len(self.lines)])

    def _is_over(self, now: float) -> bool:
        """Return whether record, log and seed have all come to their end."""
        if self.phase not in OVER:
            self.ended = None
            return False
        self.ended = self.ended or now
        if self.seed is not None and self.seed.state not in {"complete", "died"}:
            return False
        logged = any(each.outcome == self.phase for each in self.timeline.attempts())
        return logged or now > self.ended + LAST_LINES_SECONDS

    @property
    def phase(self) -> str:
        """The state of the chain in the ledger's words; ``starting`` before there is a record."""
        return STARTING if self.snapshot is None else self.snapshot.record.state

    def manifest_key(self) -> str | None:
        """Return the place of the manifest, once it exists."""
        result = None if self.snapshot is None or self.phase != COMPLETE else self.snapshot.record.result
        return None if result is None else str(result["manifest_key"])

    def manifest_url(self) -> str:
        """Ask for the finished manifest again: the ledger answers with a new link."""
        answer = self.services.functions.invoke(
            FunctionName=self.services.deployed.function, Payload=json.dumps(dict(self.settings.event))
        )
        body = json.loads(json.loads(answer["Payload"].read())["body"])
        return str(body["manifest_url"])


def place(session: str, number: int) -> str:
    """Return a manifest prefix for a run, which makes its job differ from those of other runs."""
    return f"{stack.MANIFEST_PREFIX}{session}-{number}/"
