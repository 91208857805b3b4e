"""List requests, and the pages of keys that they bring."""

from processor.listing.lister import Lister, Page
from processor.listing.parallel import ReadAhead, Readers
from processor.listing.plan.planner import Ranges

__all__ = [
    "Lister",
    "Page",
    "Ranges",
    "ReadAhead",
    "Readers",
]
