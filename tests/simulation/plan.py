"""One seed's plan: the job, its submissions, the guards' answers, the network's faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.simulation.machine import MACHINE

SCHEDULE_SECONDS = 3600.0
BUCKET, PREFIX = "reports", "in/"
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    Chances of faults.

    :param call:      Fault in one request.
    :param kill:      Kill of one invocation.
    :param hang:      Partition in one invocation.
    :param sibling:   Fault in one invoke.
    :param duplicate: Second delivery of an event.
    """

    call: float = 0.0
    kill: float = 0.0
    hang: float = 0.0
    sibling: float = 0.0
    duplicate: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission: ``direct`` (the caller waits), ``asynchronous``, ``fresh``, ``message`` of SQS, or ``schedule``."""

    at: float
    kind: str
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    One history, in virtual seconds.

    :param pace:        Mean seconds of a request.
    :param min_part:    Bytes; stands for S3's 5 MiB.
    :param held:        Bytes of finished ranges that stay in memory.
    :param chains:      Chains that share the job.
    :param quickly:     Parts up to which a commit may be completed whatever the time.
    :param token_life:  Seconds after which S3 refuses a continuation token.
    :param calm_at:     End of the faults.
    :param reserved:    Reserved concurrency.
    :param crowded:     While CloudWatch shows too many executions.
    :param rules_off:   While each rule is off.
    :param rules_unknown: While EventBridge refuses requests.
    :param denied:      While S3 denies the listing.
    :param stop_at:     When an operator sets the stop flag.
    :param aborted_at:  When an operator aborts the state machine's execution.
    :param upload_lost_at: When the bucket's lifecycle rule aborts open uploads.
    :param objects_lost: When objects under the checkpoint prefix are deleted, and words of their keys.
    :param resumed_at: When an operator resumes the job, whatever its state.
    :param forced:  Whether submissions have ``force``.
    :param refused: While Step Functions denies each request.
    :param silent:  While Step Functions does not answer.
    :param beside:  Prefix of another job with some of the same keys, and when it is submitted.
    :param older:   While the live version of the function has no state machine.
    :param closed:  While ``stop --all --now`` leaves the function no concurrency.
    :param emptied_at: When the jobs table is emptied.
    :param replayed_at: When an operator replays all events so far, as records of the on-failure queue.
    :param twins:   Whether a second schedule fires at the same times.
    :param storm:   While S3 asks to slow down, and the share of lists and writes that fail until the SDK gives up.
    """

    seed: int
    keys: tuple[str, ...]
    config: dict[str, Any]
    environment: dict[str, str]
    rates: Rates
    pace: float
    timeout: float
    min_part: int
    token_life: float
    calm_at: float
    arrivals: tuple[Arrival, ...]
    reserved: int | None
    crowded: tuple[float, float]
    rules: bool
    rules_off: tuple[float, float]
    rules_unknown: tuple[float, float]
    denied: tuple[float, float]
    stop_at: float
    upload_lost_at: float
    held: int
    quickly: int
    chains: int = 1
    aborted_at: float = NEVER
    objects_lost: tuple[float, str] = (NEVER, "")
    resumed_at: float = NEVER
    forced: bool = False
    refused: tuple[float, float] = (NEVER, NEVER)
    silent: tuple[float, float] = (NEVER, NEVER)
    older: tuple[float, float] = (NEVER, NEVER)
    storm: tuple[float, float, float] = (NEVER, NEVER, 0.0)
    closed: tuple[float, float] = (NEVER, NEVER)
    emptied_at: float = NEVER
    replayed_at: float = NEVER
    twins: bool = False
    beside: tuple[str, float] | None = None

    def wanted(self, prefix: str) -> list[str]:
        """Return the keys that the manifest of a prefix must hold."""
        return [key for key in self.keys if key.startswith(prefix) and key.endswith(".pdf")]

    @property
    def max_hops(self) -> int:
        """Hops in one budget."""
        return int(self.environment["MAX_HOPS"])

    @property
    def max_job_seconds(self) -> float:
        """Seconds in one budget."""
        return float(self.environment["MAX_JOB_SECONDS"])


def draw(seed: int) -> Plan:
    """Draw a history."""
    random = Random(f"plan {seed}")
    roughness = random.choice([0.0, 0.4, 1.0, 1.0, 1.0, 2.0])
    pace = random.choice([0.05, 0.3, 1.0, 3.0])
    count = random.randint(5, random.choice([15, 30, 60]))
    page_size = random.choice([size for size in range(1, 6) if count / size <= 15])
    shutdown, window = random.choice([(20, 0), (20, 4), (20, 15), (20, 60), (8, 20)])
    timeout = max(3.0, (shutdown + window) * pace + 2)
    if random.random() < 0.15:
        timeout += 300
    compression = random.choice(["none", "gzip"])
    parts = random.random() < 0.6
    # With so few lines, deflate writes only at the flush, where a real hop has one part left: more parts than a hop has
    # time to send at its end would be unrealistic.
    small_part = 512 if compression == "none" else 320 if shutdown > 8 else 640
    min_part = small_part if parts else 5 << 20
    calm_at = random.choice([60.0, 400.0, 1500.0, 5000.0])
    return Plan(
        seed=seed,
        keys=tuple(f"{PREFIX}{n:03}.{'txt' if random.random() < 0.1 else 'pdf'}" for n in range(count)),
        config={
            "bucket": BUCKET,
            "prefix": PREFIX,
            "page_size": page_size,
            "concurrency": random.choice([1, 2, 4, 16]),
            "compression": compression,
            "expiry_seconds": random.choice([900, 7200, 43_200, 604_800]),
        },
        environment={
            "JOBS_TABLE": "jobs",
            "STATE_MACHINE_ARN": MACHINE,
            "MAX_HOPS": str(random.choice([1, 2, 3, 100, 100])),
            "MAX_JOB_SECONDS": str(random.choice([60, 600, 86_400, 86_400, 86_400])),
            "SHUTDOWN_PERIOD": str(shutdown * pace + 1),
            "QUEUE_MAX": str(random.choice([1, 10, 20_000])),
        },
        rates=Rates(
            call=0.025 * roughness,
            kill=0.2 * roughness,
            hang=0.12 * roughness,
            sibling=0.3 * roughness,
            duplicate=0.15 * roughness,
        ),
        pace=pace,
        timeout=timeout,
        min_part=min_part,
        token_life=random.choice([NEVER, NEVER, 100.0]),
        calm_at=calm_at,
        arrivals=_queued(Random(f"queued {seed}"), _arrivals(random, calm_at)),
        reserved=random.choice([None, None, None, 1, 3]),
        crowded=_window(random, calm_at, 0.15),
        rules=random.random() < 0.8,
        rules_off=_window(random, calm_at, 0.15),
        rules_unknown=_window(random, calm_at, 0.1),
        denied=_window(random, calm_at, 0.05),
        stop_at=random.uniform(0, calm_at / 2) if random.random() < 0.15 else NEVER,
        upload_lost_at=random.uniform(0, calm_at / 2) if random.random() < 0.05 else NEVER,
        held=random.choice([0, 300, 3 * min_part]),
        quickly=random.choice([0, 0, 1000]),
        chains=Random(f"chains {seed}").choice([1, 1, 1, 2, 4]),
        aborted_at=_aborted_at(Random(f"aborted {seed}"), calm_at),
        **_by_hand(Random(f"by hand {seed}"), calm_at),
        older=_window(Random(f"older {seed}"), calm_at, 0.15),
        storm=_storm(Random(f"storm {seed}"), calm_at),
        beside=_beside(Random(f"beside {seed}")),
        **_of_all(Random(f"of all {seed}"), calm_at),
    )


def _arrivals(random: Random, calm_at: float) -> tuple[Arrival, ...]:
    """Draw the submissions before the calm."""
    kinds = ["direct", "asynchronous", "twice at once", "again", "again fresh", "schedule", "schedule"]
    kind = random.choice(kinds)
    times = random.choice([1, 1, 2])
    if kind == "schedule":
        ticks = int(calm_at // SCHEDULE_SECONDS) + 1
        return tuple(Arrival(tick * SCHEDULE_SECONDS, kind, times) for tick in range(ticks))
    if kind == "twice at once":
        return Arrival(0, "direct"), Arrival(random.uniform(0, 2), random.choice(["direct", "asynchronous"]))
    if kind.startswith("again"):
        again = "fresh" if kind == "again fresh" else "asynchronous"
        return Arrival(0, "asynchronous", times), Arrival(random.uniform(0, calm_at), again, times)
    return (Arrival(0, kind, times if kind == "asynchronous" else 1),)


def _queued(random: Random, arrivals: tuple[Arrival, ...]) -> tuple[Arrival, ...]:
    """Let some of the asynchronous submissions come as messages of a queue."""
    if random.random() < 0.5:
        return arrivals
    return tuple(replace(each, kind="message") if each.kind == "asynchronous" else each for each in arrivals)


def _of_all(random: Random, calm_at: float) -> dict[str, Any]:
    """Draw what is done to the whole deployment, or to all events; most of it soon, because most jobs are short."""
    start, emptied, replayed = (random.choice([10.0, 60.0, calm_at]) * random.random() for _ in range(3))
    closed = start, start + random.choice([60.0, 1000.0, calm_at]) * random.random()
    return {
        "closed": closed if random.random() < 0.1 else (NEVER, NEVER),
        "emptied_at": emptied if random.random() < 0.1 else NEVER,
        "replayed_at": replayed if random.random() < 0.1 else NEVER,
        "twins": random.random() < 0.3,
    }


def _aborted_at(random: Random, calm_at: float) -> float:
    """Draw when an execution is aborted: soon, because most jobs are short."""
    return random.choice([30.0, calm_at]) * random.random() if random.random() < 0.2 else NEVER


def _by_hand(random: Random, calm_at: float) -> dict[str, Any]:
    """Draw what operators do, most of it soon, because most jobs are short."""
    soon = [random.choice([30.0, calm_at]) * random.random() for _ in range(2)]
    lost = random.choice(["-", "pieces/", "/"])  # a checkpoint's name ends with a UUID
    return {
        "objects_lost": (soon[0], lost) if random.random() < 0.1 else (NEVER, ""),
        "resumed_at": soon[1] if random.random() < 0.1 else NEVER,
        "forced": random.random() < 0.1,
        "refused": _window(random, calm_at, 0.1),
        "silent": _window(random, calm_at, 0.1),
    }


def _storm(random: Random, calm_at: float) -> tuple[float, float, float]:
    """Draw a storm: over some hops, or over many; most begin soon, because most jobs are short."""
    if random.random() >= 0.2:
        return NEVER, NEVER, 0.0
    start = random.choice([10.0, calm_at / 3]) * random.random()
    return start, start + random.choice([60.0, calm_at]) * random.random(), random.choice([0.3, 0.7, 0.9, 1.0])


def _beside(random: Random) -> tuple[str, float] | None:
    """Draw whether another job lists some of the same keys, or all of them, at the same time."""
    prefix, at = (
        random.choice([f"{PREFIX}0", f"{PREFIX}00", f"{PREFIX}01"]),
        random.choice([0.0, 30.0]) * random.random(),
    )
    return (prefix, at) if random.random() < 0.2 else None


def _window(random: Random, calm_at: float, chance: float) -> tuple[float, float]:
    """Draw the window in which something holds: mostly none."""
    if random.random() >= chance:
        return NEVER, NEVER
    start = random.uniform(0, calm_at / 3)
    return start, start + random.uniform(0, calm_at / 2)
