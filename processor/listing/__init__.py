"""List requests, and the pages of keys that they bring."""

from processor.listing.lister import Lister, Page
from processor.listing.one_range import OneRange, open_listing
from processor.listing.parallel import ParallelListing, SequentialListing
from processor.listing.plan.planner import RequestPlanner
from processor.listing.range_listing import RangeListing, RangePage
from processor.listing.ranges.key_map import KeyMap, KeyMapMaker
from processor.listing.ranges.planner import RangePlanner

__all__ = [
    "KeyMap",
    "KeyMapMaker",
    "Lister",
    "OneRange",
    "Page",
    "ParallelListing",
    "RangeListing",
    "RangePage",
    "RangePlanner",
    "RequestPlanner",
    "SequentialListing",
    "open_listing",
]
