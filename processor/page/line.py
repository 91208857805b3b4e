"""A line of a manifest, as far as a page shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from processor.page import lifetime

if TYPE_CHECKING:
    from datetime import datetime

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


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
    def dies_at(self) -> datetime | None:
        """When the URL dies by its own query; ``None`` where the query does not say."""
        return lifetime.dies_at(self.url)

    @property
    def ends_at(self) -> datetime | None:
        """The latest instant at which the URL can work: that of a session's is no later than a session can last."""
        return lifetime.ends_at(self.url)

    @property
    def is_of_session(self) -> bool:
        """Whether the URL dies with the session that signed it."""
        return lifetime.is_of_session(self.url)

    @property
    def is_archived(self) -> bool:
        """Whether the line says that its object lies in an archive; it may have been restored since."""
        return self.storage_class in ARCHIVES


FACTS = tuple(each.name for each in fields(Line))[2:]  # in the order in which lines hold them
