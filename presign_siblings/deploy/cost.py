"""
What a job costs on AWS, by the prices of us-east-1: an upper bound for what the stack itself uses.

docs/explanation/costs.md has the table that this computes, and where each price was read.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from presign_siblings.deploy import template
from processor.fanout import RANGES_A_CHAIN, REQUESTS_A_CHAIN, Effort
from processor.manifest import MIN_PART
from processor.plural import plural
from processor.reporting import METRICS

# Bytes of a line, measured: with a session token of 900 characters, and the same after gzip.
LINE_BYTES = {"none": 1417, "gzip": 71}
# ListObjectsV2 in one chain, keys a second: the slowest and the fastest published figure known.
RATES = (3_000, 12_000)
LOG_BYTES_A_HOP = 20_000
LEDGER_WRITES_A_HOP = 4
LEASE_RENEWED_SECONDS = 15
LIST_PAGE = 1000
# For a job of several chains: docs/explanation/chains.md.
TRANSITIONS_A_RANGE = 3
START_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars, us-east-1, without any free tier."""

    gb_second: float = 0.0000133334  # Lambda on arm64
    invocation: float = 0.20 / 1e6
    s3_request: float = 0.005 / 1000  # LIST, PUT, parts of an upload
    s3_gb_month: float = 0.023
    write_unit: float = 0.625 / 1e6  # DynamoDB on demand: 1 KB
    log_gb: float = 0.50
    metric_month: float = 0.30
    alarm_month: float = 0.10
    dashboard_month: float = 3.00
    metric_query: float = 0.01 / 1000
    event: float = 1.00 / 1e6
    queue_request: float = 0.40 / 1e6
    transition: float = 0.025 / 1000  # Step Functions, Standard


@dataclass(frozen=True, slots=True)
class Job:
    """
    One job.

    :param keys:        Objects under the prefix, all of them PDFs.
    :param rate:        Keys listed a second.
    :param compression: The manifest's.
    :param memory:      MB of the function.
    :param working:     The most seconds that a hop works.
    :param keep_days:   Days until the manifest is removed.
    """

    keys: int
    rate: int = RATES[0]
    compression: str = "none"
    memory: int = 1769
    working: int = 890
    keep_days: int = 8

    @property
    def seconds(self) -> float:
        """How long the job works, with a second for each hop's beginning and end."""
        return self.keys / self.rate + self.hops

    @property
    def hops(self) -> int:
        """How many invocations the job takes."""
        return max(1, math.ceil(self.keys / self.rate / self.working))

    @property
    def manifest_bytes(self) -> int:
        """Size of the manifest."""
        return self.keys * LINE_BYTES[self.compression]

    def second(self, prices: Prices) -> float:
        """Return the dollars of one second of the function."""
        return self.memory / 1024 * prices.gb_second

    def costs(self, prices: Prices, tries: int = 1) -> dict[str, float]:
        """
        Return the dollars of each service.

        :param tries: Tries of each hop: 1 + MaximumRetryAttempts when each fails at its end except the last.
        """
        parts = math.ceil(self.manifest_bytes / MIN_PART)
        requests = math.ceil(self.keys / LIST_PAGE) + parts + 3 * self.hops
        writes = 4 * (LEDGER_WRITES_A_HOP * self.hops + self.seconds / LEASE_RENEWED_SECONDS)
        return {
            "Lambda": tries * (self.seconds * self.second(prices) + self.hops * prices.invocation),
            "S3 requests": tries * requests * prices.s3_request,
            "S3 storage": self.manifest_bytes / 1e9 * prices.s3_gb_month * self.keep_days / 30,
            "DynamoDB": tries * writes * prices.write_unit,
            "logs, events, metric queries": tries
            * self.hops
            * (LOG_BYTES_A_HOP / 1e9 * prices.log_gb + prices.event + prices.metric_query),
        }

    def total(self, prices: Prices, tries: int = 1) -> float:
        """Return the dollars of all services together."""
        return sum(self.costs(prices, tries).values())


@dataclass(frozen=True, slots=True)
class Chains:
    """
    What several chains add to a job.

    :param chains: How many work at once.
    """

    job: Job
    chains: int

    @property
    def ranges(self) -> int:
        """How many ranges the plan makes at most."""
        return self.chains * RANGES_A_CHAIN

    def costs(self, prices: Prices, starts: int = 1, tries: int = 1) -> dict[str, float]:
        """
        Return the dollars of each service.

        :param starts: Starts of each range: 1 + the state machine's MaxAttempts when each misses its heartbeats.
        :param tries:  Tries of each hop, as for one chain.
        """
        probes = max(Effort().least, REQUESTS_A_CHAIN * self.chains)
        objects = 1 + 3 * self.ranges  # the plan; a checkpoint that is written and read, and a copy, of each range
        # Each claim, completion and renewal of a range is written to the job's record, too.
        writes = 4 * (4 * self.ranges + self.job.seconds / LEASE_RENEWED_SECONDS)
        return {
            "S3 requests": starts * tries * (probes + objects) * prices.s3_request,
            "Step Functions": starts * (TRANSITIONS_A_RANGE * self.ranges + TRANSITIONS_A_RANGE) * prices.transition,
            "DynamoDB": starts * tries * writes * prices.write_unit,
            "Lambda": starts * tries * self.ranges * (prices.invocation + START_SECONDS * self.job.second(prices)),
        }

    def total(self, prices: Prices, starts: int = 1, tries: int = 1) -> float:
        """Return the dollars of all services together."""
        return sum(self.costs(prices, starts, tries).values())


def standing(prices: Prices) -> dict[str, float]:
    """Return the dollars a month of the stack without jobs: at most, and without free tiers."""
    resources = template.load()["Resources"].values()
    alarms = sum(each["Type"] == "AWS::CloudWatch::Alarm" for each in resources)
    # Lambda polls a queue over five connections, each for 20 seconds (long polling).
    polls = 5 * 30 * 86_400 / 20
    return {
        "metrics": len(METRICS) * prices.metric_month,
        "alarms": alarms * prices.alarm_month,
        "dashboard": prices.dashboard_month,
        "queue": polls * prices.queue_request,
    }


def main() -> None:
    """Print what a job costs."""
    parser = argparse.ArgumentParser(prog="python -m presign_siblings.deploy.cost", description=main.__doc__)
    parser.add_argument("keys", type=int, help="objects under the prefix")
    parser.add_argument("--rate", type=int, default=RATES[0], help=f"keys listed a second ({RATES[0]})")
    parser.add_argument("--compression", choices=LINE_BYTES, default="none")
    arguments = parser.parse_args()
    job, prices = Job(arguments.keys, arguments.rate, arguments.compression), Prices()
    print(f"{plural(job.hops, 'hop')}, {job.seconds:,.0f} s, a manifest of {job.manifest_bytes / 1e9:.3g} GB")
    for name, dollars in {**job.costs(prices), "together": job.total(prices)}.items():
        print(f"  {name:30} ${dollars:.4f}")
    print(f"with every hop tried three times: at most ${job.total(prices, tries=3):.4f}")


if __name__ == "__main__":
    main()
