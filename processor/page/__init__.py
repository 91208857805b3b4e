"""A manifest as one HTML page for its recipient, and what a recipient's programs share with it: names, lifetimes."""

from processor.page.file_names import NAME_BYTES, Names
from processor.page.lifetime import SESSION, SESSION_HOURS, lifetime_of
from processor.page.line import FACTS, Line
from processor.page.recipients_page import MOST_FILES, TITLE, page

__all__ = [
    "FACTS",
    "MOST_FILES",
    "NAME_BYTES",
    "SESSION",
    "SESSION_HOURS",
    "TITLE",
    "Line",
    "Names",
    "lifetime_of",
    "page",
]
