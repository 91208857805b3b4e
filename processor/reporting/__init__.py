"""Logs, metrics and the event of a finished manifest; no credential in any of them."""

from processor.reporting.completion_event import announce
from processor.reporting.telemetry import METRICS, Telemetry, level_kept, logger
from processor.reporting.url_expiry import Expiry, still_needed

__all__ = [
    "METRICS",
    "Expiry",
    "Telemetry",
    "announce",
    "level_kept",
    "logger",
    "still_needed",
]
