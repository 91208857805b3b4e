"""
Structured logs and metrics: one JSON object a line, one EMF object an invocation, and no credential in either.

sosw logs through the same Powertools logger, so what is set here holds for its lines too.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from processor.job import Counts

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
# A presigned URL's secrets, anywhere in a line, and credentials under the names that AWS and people give them.
_SECRET = re.compile(
    r"((?:X-Amz-(?:Signature|Security-Token|Credential)|Signature|AWSAccessKeyId)=)[^&\"\\\s]+"
    r"|(\"(?:aws_?)?(?:secret_?access_?key|session_?token|security_?token|access_?key_?id|password|task_?token)\\*\"\s*:\s*\\*\")[^\"\\]+",
    re.IGNORECASE,
)


class RedactingFormatter(LambdaPowertoolsFormatter):
    """Powertools' formatter, with credentials cut out of the finished line."""

    def serialize(self, log: Any) -> str:  # noqa: ANN401 - the base class's
        """Return the line."""
        return _SECRET.sub(lambda match: f"{match[1] or match[2]}<redacted>", super().serialize(log))


def of_the_code() -> dict[str, Any]:
    """Return what every line says of the code that wrote it."""
    said = {"release": os.environ.get("RELEASE"), "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")}
    return {name: value for name, value in said.items() if value}


logger = Logger()
logger.registered_handler.setFormatter(RedactingFormatter(**of_the_code()))


@contextmanager
def level_kept() -> Iterator[None]:
    """Let the level that sosw sets for an event end with that event."""
    level = logger.log_level
    try:
        yield
    finally:
        logger.setLevel(level)


class Telemetry:
    """
    What one invocation says.

    :param namespace:  Metric namespace.
    :param function:   The function's name, the only dimension.
    :param request_id: Stands in every line.
    """

    def __init__(self, namespace: str, function: str, request_id: str) -> None:
        self._namespace, self._function = namespace, function
        self._keys: dict[str, object] = {"request_id": request_id, "job_id": "", "hop": 0}
        self._metrics, self._reasons = dict.fromkeys(METRICS, 0.0), set[str]()

    def job(self, job_id: str, hop: int, part: int | None = None) -> None:
        """
        Name the job that the following lines are about.

        :param part: Number of its range, where several chains share the job.
        """
        self._keys |= {"job_id": job_id, "hop": hop}
        self._keys.pop("range", None)
        if part is not None:
            self._keys["range"] = part

    def message(self, message_id: str) -> None:
        """Name the message that the following lines are about; its job is not known yet."""
        self._keys |= {"message_id": message_id, "job_id": "", "hop": 0}

    def event(self, name: str, **fields: object) -> None:
        """Log one event."""
        logger.info(name, extra={"event": name, **self._keys, **fields}, stacklevel=2)

    def warning(self, name: str, **fields: object) -> None:
        """Log an event that someone should look at."""
        logger.warning(name, extra={"event": name, **self._keys, **fields}, stacklevel=2)

    def error(self, name: str, **fields: object) -> None:
        """Log an event that someone must look at."""
        logger.error(name, extra={"event": name, **self._keys, **fields}, stacklevel=2)

    def page(self, counts: Counts, listed: int) -> None:
        """Log a page that is written."""
        fields = {"count": counts.count, "pages": counts.pages, "listed": listed}
        logger.debug("page", extra={"event": "page", **self._keys, **fields})

    def presign_error(self, key: str, reason: str) -> None:
        """Log a key that could not be signed."""
        self.error("presign_error", key=key, error=reason)

    def listing_fallback(self, reason: str) -> None:
        """Log that read-ahead ends, and why."""
        self.warning("listing_fallback", reason=reason)

    def listing_paused(self, reason: str) -> None:
        """Log that a request of the listing has failed for now, and the listing continues after a pause."""
        self.warning("listing_paused", reason=reason)

    def count(self, **metrics: float) -> None:
        """Add to the invocation's metrics."""
        for name, value in metrics.items():
            self._metrics[name] += value

    def skipped(self, reasons: Mapping[str, int]) -> None:
        """Count keys that a job left out: all, and besides those of each reason under a name of its own."""
        self.count(SkippedObjects=sum(reasons.values()))
        for reason, number in reasons.items():
            name = f"Skipped{reason.title().replace('_', '')}"
            self._metrics[name] = self._metrics.get(name, 0) + number

    def invalid(self, field: str, reason: str) -> None:
        """Log and count an event that breaks a rule."""
        self.warning("invalid", field=field, reason=reason)
        self.count(Invalid=1)

    def parked(self, reason: str) -> None:
        """Count a job that was parked, and why; the details after a colon are for the log alone."""
        self.count(Parked=1)
        self._reasons.add(reason.partition(":")[0])

    def highest(self, **metrics: float) -> None:
        """Keep the highest value of a metric: an invocation may work on several jobs."""
        for name, value in metrics.items():
            self._metrics[name] = max(self._metrics[name], value)

    def flush(self) -> None:
        """Print the invocation's metrics, once."""
        reason = self._reasons.pop() if len(self._reasons) == 1 else "several" if self._reasons else None
        print(emf(self._namespace, self._function, self._metrics, reason))  # noqa: T201 - EMF goes to standard output


def emf(namespace: str, function: str, metrics: Mapping[str, float], reason: str | None = None) -> str:
    """
    Return one Embedded Metric Format object.

    Units follow the names: ``...Bytes`` are bytes, ``...Ms`` milliseconds, ``...Percent`` percent, all else counts.

    :param reason: Why a job was parked: ``Parked`` then has the dimensions ``Function`` and ``Reason`` besides.
    """
    provider = AmazonCloudWatchEMFProvider(
        metric_set={}, dimension_set={}, metadata_set={}, default_dimensions={}, namespace=namespace
    )
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
