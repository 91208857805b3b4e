"""What one invocation reports: its log lines, and its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.reporting.log import logger
from processor.reporting.metrics import METRICS, emf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.job import Counts


class Telemetry:
    """
    What one invocation reports.

    :param namespace:  Metric namespace.
    :param function:   The function's name, the only dimension.
    :param request_id: The invocation's id, in every line.
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
        """Log that the listing continues with one request after the other, and why."""
        self.warning("listing_fallback", reason=reason)

    def listing_paused(self, reason: str) -> None:
        """Log that a request of the listing has failed for now, and the listing continues after a pause."""
        self.warning("listing_paused", reason=reason)

    def writing_paused(self, reason: str) -> None:
        """Log that a write has failed for now, and the hop tries again after a pause."""
        self.warning("writing_paused", reason=reason)

    def execution_not_accepted(self, code: str, reason: str) -> None:
        """Log that Step Functions did not start the state machine, and why."""
        self.warning("execution_not_accepted", error=code, reason=reason)

    def count(self, **metrics: float) -> None:
        """Add to the invocation's metrics."""
        for name, value in metrics.items():
            self._metrics[name] += value

    def skipped(self, reasons: Mapping[str, int]) -> None:
        """Count keys that a job left out: all together, and those of each reason under a name of its own."""
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
