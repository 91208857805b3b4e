"""The whole job: list, filter, sign, write."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks.bench import progress
from benchmarks.launch import run_child
from benchmarks.peers.s5cmd_batch import binary
from benchmarks.results import Findings, Row, pair_rows, pairs, ratio_goal
from benchmarks.verify import KEEP_ALL, check_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.results import Sample

NAME = "job"
LEAST_TIMES_SEED = 100
LEAST_TIMES_OBSTORE = 2.5
MOST_WAITING = 0.1
_CHECKED = 2_000
_SEED = "the seed's handler (aioboto3)"
_SLOW = {
    "boto3 loop": "boto3_loop",
    "minio-py loop": "minio_loop",
    "s5cmd ls, run presign, pipe": "s5cmd_batch",
}
_UNORDERED = {"s5cmd_batch"}


def _slow_peers() -> dict[str, str]:
    return _SLOW if binary() else {label: peer for label, peer in _SLOW.items() if peer != "s5cmd_batch"}


def verify(bench: Bench) -> None:
    """
    Let each peer do a small piece of work, and check each key and a tenth of the signatures.

    :raises WrongWorkError: A peer's manifest differs from the others'.
    """
    runs = [(peer, "none") for peer in ("seed", *_slow_peers().values(), "obstore_batches", "ours")]
    for peer, compression in [*runs, ("obstore_batches", "gzip"), ("ours", "gzip")]:
        work = bench.work(_CHECKED, compression)
        bench.server.reset(keep=KEEP_ALL)
        run_child(f"benchmarks.peers.{peer}", work, bench.environment() if peer == "ours" else None)
        check_content(bench.server, work, in_order=peer not in _UNORDERED)


def measure(bench: Bench) -> Findings:
    """Measure each peer in pairs with ours."""
    progress("  checking that all do the same work ...")
    verify(bench)
    findings = Findings()
    if binary() is None:
        findings.notes.append("s5cmd is not installed here, and left out.")
    findings.add(_against(bench, {_SEED: "seed"}, bench.sizes.seed, LEAST_TIMES_SEED))
    findings.add(_against(bench, _slow_peers(), bench.sizes.slow, None))
    findings.add(_against_obstore(bench))
    findings.notes += _busy(findings.rows)
    return findings


def _busy(rows: list[Row]) -> list[str]:
    """Return a note if the core was not ours alone: without latency, nothing in a job waits for long."""
    waited = median(1 - sample.cpu_seconds / sample.seconds for row in rows for sample in row.samples)
    if waited < MOST_WAITING:
        return []
    return [f"The machine was busy: the median job stood waiting for {waited:.0%} of its time. Measure again."]


def _run(bench: Bench, peer: str, objects: int, compression: str = "none") -> Callable[[], Sample]:
    """Let a peer work; like the others, ours lists one page after another, since nothing is waited for here."""
    return lambda: bench.peer(peer, bench.work(objects, compression, concurrency=1))


def _against(bench: Bench, peers: dict[str, str], objects: int, least: float | None) -> Findings:
    """Compare with peers that sign one key at a time."""
    others = {label: _run(bench, peer, objects) for label, peer in peers.items()}
    measured = pairs(_run(bench, "ours", objects, "gzip"), others, bench.sizes.rounds)
    goals = [ratio_goal(f"job with gzip, times {label}", ratios, least) for label, (_, ratios) in measured[1].items()]
    return Findings(pair_rows(NAME, "ours, gzip", objects, measured), goals)


def _against_obstore(bench: Bench) -> Findings:
    """Compare with obstore plain and compressed, each with our equal."""
    objects, rounds = bench.sizes.fast, bench.sizes.rounds
    plain, gzip = "obstore list + sign + write", "obstore likewise, gzip"
    others = {
        plain: _run(bench, "obstore_batches", objects),
        gzip: _run(bench, "obstore_batches", objects, "gzip"),
    }
    own, measured = pairs(_run(bench, "ours", objects, "gzip"), others, rounds)
    likewise, against = pairs(_run(bench, "ours", objects), {plain: others[plain]}, rounds)
    goals = [
        ratio_goal("job with gzip, times obstore", measured[plain][1], LEAST_TIMES_OBSTORE),
        ratio_goal("job with gzip, times obstore with gzip", measured[gzip][1], None),
        ratio_goal("job without gzip, times obstore", against[plain][1], None),
    ]
    rows = pair_rows(NAME, "ours, gzip", objects, (own, measured))
    return Findings([rows[0], Row(NAME, "ours, plain", objects, likewise), *rows[1:]], goals)
