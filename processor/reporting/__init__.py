"""Logs, metrics and the event of a finished manifest; no credential in any of them."""

from processor.reporting.completion_event import announce
from processor.reporting.telemetry import METRICS, Telemetry, logger
from processor.reporting.url_expiry import ISO, Expiry, still_needed

__all__ = [
    "ISO",
    "METRICS",
    "Expiry",
    "Telemetry",
    "announce",
    "logger",
    "still_needed",
]
