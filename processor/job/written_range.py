"""What is written of a key range, and how far the manifest is put together: the growing part of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processor.job.encoded_bytes import EncodedBytes
    from processor.job.key_range import KeyRange


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart upload, with the ETag that S3 answered."""

    number: int
    etag: str


@dataclass(frozen=True, slots=True)
class Piece:
    """
    Some of the manifest's bytes, stored as an object (on a laptop as a file) of their own until the commit.

    :param key:  S3 key of the object; on a laptop the file's name.
    :param size: Bytes.
    """

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class WrittenRange:
    """
    A key range with what is written of it.

    :param range:   How far it is listed and written.
    :param encoded: What is known of the bytes of all its pieces.
    :param pieces:  In key order.
    """

    range: KeyRange
    encoded: EncodedBytes
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class CommitState:
    """
    How far the manifest is put together.

    :param upload_id: The multipart upload at the manifest's own key.
    :param parts:     The parts that it has so far.
    :param equal:     Whether the parts are of equal size, as some stores demand.
    """

    upload_id: str
    parts: tuple[Part, ...] = ()
    equal: bool = False
