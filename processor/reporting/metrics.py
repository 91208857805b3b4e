"""The metrics of an invocation: one object in CloudWatch's Embedded Metric Format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS = (
    "PDFsProcessed",
    "PresignCount",
    "PresignErrors",
    "S3ListPages",
    "WastedPages",
    "ManifestBytes",
    "ResponseBytes",
    "DurationMs",
    "SiblingsSpawned",
    "Hop",
    "HopBudgetPercent",
    "Completed",
    "Parked",
    "InProgress",
    "Invalid",
    "Failed",
    "UrlsExpiring",
    "ExpiredManifests",
    "EmptyManifests",
    "ArchivedObjects",
    "SkippedObjects",
)
_UNITS = {"Bytes": MetricUnit.Bytes, "Ms": MetricUnit.Milliseconds, "Percent": MetricUnit.Percent}


def emf(namespace: str, function: str, metrics: Mapping[str, float], reason: str | None = None) -> str:
    """
    Return one Embedded Metric Format object.

    Units follow the names: ``...Bytes`` are bytes, ``...Ms`` milliseconds, ``...Percent`` percent, all else counts.

    :param reason: Why a job was parked: ``Parked`` is then written by ``Function`` and ``Reason``, too.
    """
    provider = AmazonCloudWatchEMFProvider(namespace=namespace)
    provider.service = ""  # no dimension but Function
    provider.add_dimension("Function", function)
    for name, value in metrics.items():
        units = [unit for end, unit in _UNITS.items() if name.endswith(end)]
        provider.add_metric(name, units[0] if units else MetricUnit.Count, value)
    written: dict[str, Any] = dict(provider.serialize_metric_set())
    if reason is not None:
        parked = [{"Name": "Parked", "Unit": MetricUnit.Count.value}]
        directive = {"Namespace": namespace, "Dimensions": [["Function", "Reason"]], "Metrics": parked}
        written["_aws"]["CloudWatchMetrics"].append(directive)
        written["Reason"] = reason
    return json.dumps(written)
