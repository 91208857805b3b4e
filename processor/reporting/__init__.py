"""Logs, metrics and the event of a finished manifest; no credential in any of them."""

from processor.reporting.completion_event import announce
from processor.reporting.log import level_kept, logger, redact
from processor.reporting.metrics import METRICS
from processor.reporting.telemetry import Telemetry
from processor.reporting.url_expiry import EXPIRED, EXPIRING, Expiry, still_needed

__all__ = [
    "EXPIRED",
    "EXPIRING",
    "METRICS",
    "Expiry",
    "Telemetry",
    "announce",
    "level_kept",
    "logger",
    "redact",
    "still_needed",
]
