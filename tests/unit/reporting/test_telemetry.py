"""The log and the metrics of one invocation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from processor.reporting import Telemetry

if TYPE_CHECKING:
    from tests.output import Output


def test_improvement_2__a_log_line_is_one_json_object(output: Output) -> None:
    """Logs Insights queries fields: event, job, hop and request are in every line."""
    telemetry = Telemetry("N", "presign", "request-1")
    telemetry.job("job-1", 3)
    telemetry.event("checkpoint", count=5)
    telemetry.presign_error("a.pdf", "ValueError")
    first, second = [json.loads(line) for line in output.getvalue().splitlines()]
    assert first["event"] == "checkpoint"
    assert (first["job_id"], first["hop"], first["request_id"], first["count"]) == ("job-1", 3, "request-1", 5)
    assert (second["event"], second["level"], second["key"], second["error"]) == (
        "presign_error",
        "ERROR",
        "a.pdf",
        "ValueError",
    )


def test_a_line_names_the_range_that_it_is_about_and_no_earlier_one(output: Output) -> None:
    """An invocation may work on several jobs, after another on a range of one."""
    telemetry = Telemetry("N", "presign", "request-1")
    telemetry.job("job-1", 1, 0)
    telemetry.event("start")
    telemetry.job("job-2", 0)
    telemetry.event("start")
    ranged, whole = [json.loads(line) for line in output.getvalue().splitlines()]
    assert (ranged["job_id"], ranged["range"]) == ("job-1", 0)
    assert whole["job_id"] == "job-2"
    assert "range" not in whole


@pytest.mark.parametrize("name", ["listing_fallback", "listing_paused", "writing_paused"])
def test_trouble_that_a_hop_bears_is_a_warning_with_its_reason(name: str, output: Output) -> None:
    """The job is slower than it was, and its log says why."""
    getattr(Telemetry("N", "presign", "request-1"), name)("SlowDown")
    (line,) = [json.loads(line) for line in output.getvalue().splitlines()]
    assert (line["event"], line["level"], line["reason"]) == (name, "WARNING", "SlowDown")


def test_what_jobs_leave_out_is_counted_together_and_by_its_reason(output: Output) -> None:
    """Of all jobs of the invocation."""
    telemetry = Telemetry("N", "presign", "request-1")
    telemetry.skipped({"suffix": 2, "min_size": 3})
    telemetry.skipped({"suffix": 5})
    telemetry.flush()
    written = json.loads(output.getvalue())
    assert (written["SkippedObjects"], written["SkippedSuffix"], written["SkippedMinSize"]) == ([10], [7], [3])


@pytest.mark.parametrize(
    ("reasons", "dimension"),
    [
        (["max_hops"], "max_hops"),
        (["sibling_refused: TooManyRequestsException"], "sibling_refused"),
        (["stopped", "stopped"], "stopped"),
        (["stopped", "max_hops"], "several"),
    ],
)
def test_parked_has_its_reason_as_a_dimension(reasons: list[str], dimension: str, output: Output) -> None:
    """In the same object; an alarm on ``Parked`` alone needs no dimension."""
    telemetry = Telemetry("Space", "presign", "request-1")
    for reason in reasons:
        telemetry.parked(reason)
    telemetry.flush()
    written = json.loads(output.getvalue())
    _, directive = written["_aws"]["CloudWatchMetrics"]
    assert (directive["Dimensions"], directive["Namespace"]) == ([["Function", "Reason"]], "Space")
    assert directive["Metrics"] == [{"Name": "Parked", "Unit": "Count"}]
    assert (written["Reason"], written["Parked"], written["Function"]) == (dimension, [len(reasons)], "presign")
