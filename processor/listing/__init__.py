"""List requests, and the pages of keys that they bring."""

from processor.listing.lister import Lister, Page
from processor.listing.parallel import ParallelListing, SequentialListing
from processor.listing.plan.planner import RequestPlanner

__all__ = [
    "Lister",
    "Page",
    "ParallelListing",
    "RequestPlanner",
    "SequentialListing",
]
