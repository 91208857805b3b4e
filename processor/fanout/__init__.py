"""One job over many chains of siblings: its ranges, the state machine that gives them out, and what is gathered."""

from processor.fanout.fan_out import FanOut
from processor.fanout.reporting_ledger import reporting
from processor.fanout.task_token import withheld

__all__ = ["FanOut", "reporting", "withheld"]
