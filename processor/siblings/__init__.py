"""The guards before a hand-over, and sosw's component that they ask."""

from processor.siblings.guards import Guards, Siblings

__all__ = [
    "Guards",
    "Siblings",
]
