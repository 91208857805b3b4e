"""Listing alone, from many places at once: the cost of waiting for S3, for one chain and for many readers."""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.bench import progress
from benchmarks.dataset import count_of
from benchmarks.launch import run_child
from benchmarks.results import Findings, Row, Sample, at_most_goal, pairs, ratio_goal
from benchmarks.scenarios.latency import LATENCY_SECONDS
from benchmarks.verify import WrongWorkError

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.work import Work

NAME = "readers"
CURVE = "readers over concurrency"
READERS = 16
EVEN = ("set", "hashes")
# Of those after the second, few guesses are right, whatever has been seen before.
SKEWED = (
    "huge_among_small",
    "times",
    "unpadded",
    "office_hours",
    "tenants",
    "nested_prefixes",
    "geometric",
    "words",
    "deep_tree",
)
LEAST = 7.0
MOST_EVEN, MOST_SKEWED = 1.2, 1.5
LEAST_BUSY = 0.9
_CURVE = (1, 2, 4, 8, 16, 32, 64)
_LABELS = {
    "set": "numbered folders",
    "hashes": "hashes",
    "huge_among_small": "three huge folders among small ones",
    "times": "a folder a day",
    "unpadded": "numbers without leading zeros",
    "office_hours": "times, most of them around noon",
    "tenants": "tenants of Zipf's sizes",
    "nested_prefixes": "keys that begin others",
    "geometric": "numbers that thin out",
    "words": "random words",
    "deep_tree": "an uneven deep tree",
}


class _Lists:
    """Runs listers, and keeps the number of requests of each run, by concurrency."""

    def __init__(self, bench: Bench, latency: float) -> None:
        self._bench, self._latency = bench, latency
        self.requests = defaultdict[int, list[int]](list)

    def run(self, lister: str, work: Work) -> Sample:
        """
        Measure one lister.

        :raises WrongWorkError: It listed another number of keys than there are.
        """
        server = self._bench.server
        server.reset(latency=self._latency)
        sample = Sample.of(run_child(f"benchmarks.listers.{lister}", work, warm_up=True))
        if sample.keys != count_of(work.prefix):
            raise WrongWorkError(f"{lister} listed {sample.keys} keys of {count_of(work.prefix)}")
        self.requests[work.concurrency].append(server.report()["lists"] - 1)  # the warm-up's
        return sample

    def prepare(self, work: Work) -> None:
        """Let the stub make the keys before anything is timed."""
        query = f"list-type=2&encoding-type=url&prefix={work.prefix}"
        urllib.request.urlopen(f"{self._bench.server.endpoint}/{work.bucket}?{query}").close()


def measure(bench: Bench) -> Findings:
    """Compare 16 readers with one chain: on even and skewed keys at 80 ms a LIST, and without any latency."""
    findings = Findings()
    for names, least, most in ((EVEN, LEAST, MOST_EVEN), (SKEWED, LEAST, MOST_SKEWED)):
        for keys in names:
            findings.add(_waiting(bench, keys, least, most))
    findings.add(_busy(bench))
    findings.add(_curve(bench))
    return findings


def _work(bench: Bench, keys: str, concurrency: int) -> Work:
    return replace(bench.work(bench.sizes.reading, concurrency=concurrency), keys=keys)


def _waiting(bench: Bench, keys: str, least: float, most: float) -> Findings:
    """Compare where a LIST takes time; the chain, which only waits, runs once."""
    lists, many, one = _Lists(bench, LATENCY_SECONDS), _work(bench, keys, READERS), _work(bench, keys, 1)
    label = f"80 ms a LIST, {_LABELS[keys]}"
    progress(f"  {_LABELS[keys]} ...")
    lists.prepare(one)
    chain = lists.run("ours", one)
    samples = [lists.run("ours", many) for _ in range(bench.sizes.rounds)]
    ratios = [sample.rate / chain.rate for sample in samples]
    costs = [requests / lists.requests[1][0] for requests in lists.requests[READERS]]
    return Findings(
        [
            Row(NAME, f"{READERS} readers, {_LABELS[keys]}", one.count, samples, ratios),
            Row(NAME, f"one chain, {_LABELS[keys]}", one.count, [chain]),
        ],
        [
            ratio_goal(f"{label}: {READERS} readers, times one chain", ratios, least),
            at_most_goal(f"{label}: list requests over one chain's", costs, most),
        ],
    )


def _busy(bench: Bench) -> Findings:
    """Compare without latency: the cost of guesses where nothing waits."""
    objects, rounds = bench.sizes.reading, bench.sizes.rounds
    jobs = {count: lambda count=count: bench.peer("ours", bench.work(objects, "gzip", count)) for count in (READERS, 1)}
    _, job = pairs(jobs[READERS], {"one": jobs[1]}, rounds)
    lists, one = _Lists(bench, 0.0), replace(bench.work(objects), concurrency=1)
    many = replace(one, concurrency=READERS)
    _, listed = pairs(lambda: lists.run("ours", many), {"one": lambda: lists.run("ours", one)}, rounds)
    return Findings(
        goals=[
            ratio_goal(f"no latency: a job with {READERS} readers, times one chain", job["one"][1], LEAST_BUSY),
            ratio_goal(f"no latency: listing alone with {READERS} readers, times one chain", listed["one"][1], None),
        ]
    )


def _curve(bench: Bench) -> Findings:
    """Measure the rate by concurrency, and compare with obstore's, whose list call has one chain."""
    lists, rows = _Lists(bench, LATENCY_SECONDS), list[Row]()
    for count in _CURVE:
        work = _work(bench, "set", count)
        progress(f"  {count} readers ...")
        rows.append(Row(CURVE, f"{count}", work.count, [lists.run("ours", work)]))
    work = _work(bench, "set", 1)
    rows.append(Row(CURVE, "obstore.list", work.count, [lists.run("obstore_list", work)]))
    return Findings(rows)
