"""The guards before a hand-over, and sosw's component behind them."""

from processor.siblings.guards import Guards, Siblings

__all__ = [
    "Guards",
    "Siblings",
]
