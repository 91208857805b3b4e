"""What is known of an object that is fetched, and where its bytes go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """
    What an answer says about its object.

    :param size:   Bytes.
    :param etag:   As S3 gave it, without quotes.
    :param is_md5: Whether the ETag looks like the MD5 of the bytes.
    """

    size: int
    etag: str
    is_md5: bool


@dataclass(frozen=True, slots=True)
class Got(ObjectFacts):
    """
    An object that came, as many bytes as announced.

    :param md5:    MD5 of the bytes; empty where it was not computed.
    :param agrees: Whether the bytes have the checksums of the headers; ``None`` where the headers have none.
    """

    md5: str
    agrees: bool | None

    @property
    def is_proven(self) -> bool | None:
        """Whether a checksum shows that the bytes are the object's; ``None`` where there is no checksum."""
        if self.agrees is not None:
            return self.agrees
        return self.md5 == self.etag if self.is_md5 else None


class Sink(Protocol):
    """
    Where bytes go, and what an earlier try has left of the object with this ETag.

    :param begun: Bytes of its beginning.
    :param tail:  Where bytes of its end begin; ``None`` where there are none.
    """

    begun: int
    tail: int | None
    etag: str

    def begin(self, at: int, facts: ObjectFacts, update: Callable[[memoryview], None]) -> None:
        """Begin to write at this byte; those before it are given to ``update``."""

    def take(self, piece: memoryview) -> None:
        """Take the next bytes."""

    def put(self, at: int, piece: memoryview) -> None:
        """Take the bytes of a part."""

    def read(self, first: int, end: int, update: Callable[[memoryview], None]) -> None:
        """Give stored bytes to ``update``."""

    def unpack(self) -> None:
        """Replace the stored bytes, which are gzip, by those that they unpack to."""

    def note_ends(self, head: int, tail: int) -> None:
        """Note how much of the object's beginning and end is stored."""
