"""List requests, and the pages of keys that they bring."""

from processor.listing.key_map_store import WORTH_PAGES, KeyMapStore
from processor.listing.listed import Listed
from processor.listing.lister import Lister
from processor.listing.one_range import open_listing
from processor.listing.page import Page
from processor.listing.range_listing import RangeListing, RangePage
from processor.listing.ranges.key_map import KeyMap, KeyMapMaker
from processor.listing.ranges.open_range import just_before
from processor.listing.ranges.planner import RangePlanner
from processor.listing.ranges.trial import ContradictionError
from processor.listing.sequential import SequentialListing

__all__ = [
    "WORTH_PAGES",
    "ContradictionError",
    "KeyMap",
    "KeyMapMaker",
    "KeyMapStore",
    "Listed",
    "Lister",
    "Page",
    "RangeListing",
    "RangePage",
    "RangePlanner",
    "SequentialListing",
    "just_before",
    "open_listing",
]
