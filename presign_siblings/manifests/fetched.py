"""What is known of an object that is fetched, and where its bytes go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Told:
    """
    What an answer tells of its object.

    :param size:   Bytes.
    :param etag:   As S3 gave it, without quotes.
    :param is_md5: Whether the ETag looks like the MD5 of the bytes.
    """

    size: int
    etag: str
    is_md5: bool


@dataclass(frozen=True, slots=True)
class Got(Told):
    """
    An object that came, as many bytes as announced.

    :param md5:    Of the bytes; an empty text where nothing compares it.
    :param agrees: Whether the bytes have the checksums that the answer told; ``None`` where it told none.
    :param came:   Bytes that came now: fewer than its size where an earlier try had brought the others.
    """

    md5: str
    agrees: bool | None
    came: int = 0

    @property
    def is_proven(self) -> bool | None:
        """Whether a checksum tells that the bytes are the object's, or are not; ``None`` where there is none."""
        if self.agrees is not None:
            return self.agrees
        return self.md5 == self.etag if self.is_md5 else None


class Sink(Protocol):
    """
    Where bytes go, and what an earlier try has left there of the object with this ETag.

    :param begun: Bytes of its beginning.
    :param tail:  Where bytes of its end begin; ``None`` where there are none.
    """

    begun: int
    tail: int | None
    etag: str

    def begin(self, at: int, told: Told, update: Callable[[memoryview], None]) -> None:
        """Begin to write at this byte; those before it are given to ``update``."""

    def take(self, piece: memoryview) -> None:
        """Take the next bytes."""

    def put(self, at: int, piece: memoryview) -> None:
        """Take the bytes of a part."""

    def read(self, first: int, end: int, update: Callable[[memoryview], None]) -> None:
        """Give bytes that are there to ``update``."""

    def note_ends(self, head: int, tail: int) -> None:
        """Note what is there of the object's beginning and of its end."""
