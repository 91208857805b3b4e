"""
Where the manifest's bytes are until they are put together: pieces, each an object (on a laptop a file) of its own.

A piece's name holds the claim that wrote it, so that two holders of a run never write under one name. A piece counts
once a checkpoint names it that the ledger names.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from processor.manifest.part_plan import MIB

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from processor.job import Piece
    from processor.manifest.bodies import Bodies

# Measured. botocore asks for a mebibyte to hash, each fresh from the kernel, which fragments glibc's heap by 10 MB.
# aiohttp lets the event loop turn after each 256 KiB; with some milliseconds of signing a turn, parts pile up.
HASHED_BYTES, SENT_BYTES = 256 << 10, 512 << 10


class Body(io.BytesIO):
    """A part's bytes. Each read returns a block that suits its reader: botocore hashes, aiohttp sends."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next block, or all that is left."""
        return super().read(size if size is None or size < 0 else self.block(size))

    def block(self, size: int) -> int:
        """Return the bytes of a block for a reader that asks for some."""
        return HASHED_BYTES if size >= MIB else SENT_BYTES


class OpenPiece(Protocol):
    """A piece that is being written, a part at a time."""

    size: int

    async def add(self, body: Body) -> None:
        """Take a part and its buffer; a slow store holds the caller back."""

    async def close(self) -> Piece:
        """Return the piece once all of it is stored."""

    async def abort(self) -> None:
        """Drop it."""


class PieceStore(Protocol):
    """
    Where pieces are stored: in S3, or on a laptop beside the manifest's file.

    ``part`` is the size in bytes of every part but the last; ``bodies`` makes the buffers for them.
    """

    part: int
    bodies: Bodies

    @property
    def most_held(self) -> int:
        """Bytes of all ranges that may wait for a part to be full, at most."""

    async def put(self, body: Body) -> asyncio.Task[Piece]:
        """Begin to store a short piece, and take its buffer; a slow store holds the caller back."""

    def open(self) -> OpenPiece:
        """Begin a longer piece."""

    async def read(self, piece: Piece, start: int, end: int) -> bytes:
        """
        Read some of a piece's bytes.

        :raises PieceLostError: It is gone.
        """

    async def discard(self, keys: Iterable[str]) -> None:
        """Delete pieces; one that cannot be deleted is left to the bucket's lifecycle rule."""
