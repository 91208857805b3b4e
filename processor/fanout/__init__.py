"""One job over many chains of siblings: its ranges, the state machine that gives them out, and what is gathered."""

from processor.fanout.fan_out import FanOut
from processor.fanout.gathering import Found, gathered
from processor.fanout.plan import RANGES_A_CHAIN, REQUESTS_A_CHAIN, Effort, divided, planned
from processor.fanout.reporting_ledger import reporting
from processor.fanout.shares import given_out, shared

__all__ = [
    "RANGES_A_CHAIN",
    "REQUESTS_A_CHAIN",
    "Effort",
    "FanOut",
    "Found",
    "divided",
    "gathered",
    "given_out",
    "planned",
    "reporting",
    "shared",
]
