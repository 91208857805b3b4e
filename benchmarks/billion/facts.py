"""Assumptions of the simulation of a billion keys about S3, Lambda, Step Functions, and prices of November 2026."""

from __future__ import annotations

from datetime import UTC, datetime

from processor.job import KeyRange

READERS = 16  # of each chain
LIST_SECONDS, LIST_SIGMA = 0.08, 0.35  # median, and the logarithm's standard deviation
KEYS_PER_SECOND = 100_000  # signed, compressed and written on one vCPU; docs/measurements/bench.md has more
HOP_SECONDS, SPARE_SECONDS, START_SECONDS = 900.0, 10.0, 1.0
LAST_SECONDS = HOP_SECONDS - SPARE_SECONDS - START_SECONDS  # no page is requested later
PAGE, SAMPLE = 1000, 10_000_000
PREFIX = "set-1000000000/"
NOW, WHOLE = datetime(2026, 11, 28, tzinfo=UTC), KeyRange(0, "", None, "", None, done=False)
LINE_BYTES, PART_BYTES = 70, 5 << 20
RANGE_SECONDS = 2.0  # a child of the state machine, and its Lambda
COPY_SECONDS, COPY_BYTES_PER_SECOND = 0.5, 500e6  # of a piece, inside S3
CHILDREN_PER_SECOND = 100  # Standard executions that a Distributed Map starts
TRANSITIONS, DOLLARS_TRANSITION = 6, 0.025 / 1000  # of the state machine for each range
GIB, MEMORY_GIB = 1 << 30, 1769 / 1024
DOLLARS_REQUEST, DOLLARS_GIB_SECOND, DOLLARS_INVOKE = 0.005 / 1000, 0.0000133334, 0.2 / 1e6
