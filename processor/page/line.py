"""A line of a manifest, as far as a page shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from processor.hindrances import ARCHIVE_CLASSES
from processor.page.lifetime import lifetime_of

if TYPE_CHECKING:
    from processor.page.lifetime import Lifetime


@dataclass(frozen=True, slots=True)
class Line:
    """
    A key, its URL, and the facts that the job was asked for.

    :param size:          Bytes.
    :param etag:          As S3 gives it, without quotes.
    :param last_modified: ISO 8601.
    """

    key: str
    url: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    storage_class: str | None = None
    checksum_type: str | None = None

    @classmethod
    def of(cls, written: bytes) -> Line:
        """Read a line that the job itself has written."""
        return cls(**json.loads(written))

    @property
    def lifetime(self) -> Lifetime:
        """What the URL says of its own end."""
        return lifetime_of(self.url)

    @property
    def is_archived(self) -> bool:
        """Whether the line says that its object lies in an archive; it may have been restored since."""
        return self.storage_class in ARCHIVE_CLASSES


FACTS = tuple(each.name for each in fields(Line))[2:]  # in the order in which lines hold them
