"""Metrics in CloudWatch's Embedded Metric Format."""

from __future__ import annotations

import json

from processor.reporting import METRICS
from processor.reporting.metrics import emf


def test_improvement_3__metrics_are_one_emf_object() -> None:
    """The contract's names, units by name, one dimension."""
    written = json.loads(emf("Space", "presign", dict.fromkeys(METRICS, 1)))
    (directive,) = written["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Space"
    assert directive["Dimensions"] == [["Function"]]
    assert written["Function"] == "presign"
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert set(units) == set(METRICS)
    assert (units["ManifestBytes"], units["DurationMs"], units["Parked"]) == ("Bytes", "Milliseconds", "Count")
    assert units["HopBudgetPercent"] == "Percent"
    assert written["PDFsProcessed"] == [1.0]
