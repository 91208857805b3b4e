"""Writes one key range's lines into pieces: what is short stays in memory, what is long is stored while it grows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from processor.job import Piece
from processor.manifest.bodies import AT_ONCE
from processor.manifest.encoder import Encoder
from processor.manifest.piece_store import Body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processor.job import EncodedBytes
    from processor.manifest.piece_store import OpenPiece, PieceStore

PIECE_PARTS = 1000  # most parts of a piece, 4.9 GiB: one copy takes it whole, and 10,000 hold S3's largest object


class RangeWriter:
    """
    One range.

    :param compression: ``none`` or ``gzip``.
    :param encoded:     What earlier hops encoded of it.
    :param pieces:      The pieces that hold it, in key order.

    ``spent`` are pieces that were read again: what they held is written again with what follows it.
    """

    def __init__(
        self, store: PieceStore, compression: str, encoded: EncodedBytes, pieces: tuple[Piece, ...] = ()
    ) -> None:
        self._store, self._encoder = store, Encoder(compression, encoded)
        self.pieces, self.spent = list(pieces), list[str]()
        self._body, self._parts = Body(), 0  # the store's own from the first line on
        self._open: OpenPiece | None = None
        self._closing: list[tuple[OpenPiece | None, asyncio.Task[Piece]]] = []
        self._is_begun = False

    @property
    def encoded(self) -> EncodedBytes:
        """Sizes and checksums of its bytes; whole after ``flush``."""
        return self._encoder.encoded

    @property
    def has_pieces(self) -> bool:
        """Whether some bytes are in pieces, or on their way there."""
        return bool(self.pieces or self._closing)

    @property
    def has_parts(self) -> bool:
        """Whether a piece under way has parts already."""
        return self._open is not None

    @property
    def held(self) -> int:
        """Bytes that are in no piece yet."""
        return self._body.tell()

    @property
    def body(self) -> Body:
        """What holds them, before its place; they come after all pieces. The range takes no lines meanwhile."""
        return self._body

    def take(self) -> Body:
        """Take the bytes that are in no piece away, to be stored elsewhere."""
        taken, self._body = self._body, Body()
        return taken

    def adopt(self, storing: asyncio.Task[Piece]) -> None:
        """Take a piece that is being stored: it comes after all pieces."""
        self._closing.append((None, storing))

    async def write(self, lines: Iterable[bytes]) -> None:
        """
        Take lines, some at a time; parts that are full begin to upload, and a slow upload holds the caller back.

        :raises PresignSiblingsError: Something could not be stored, or read again.
        """
        if not self._is_begun:
            await self._begin()
        for some in lines:
            for start in range(0, len(some), AT_ONCE):
                self._body.write(self._encoder.encode(some[start : start + AT_ONCE]))
                while self._body.tell() >= self._store.part:
                    await self._store_part()

    async def store(self) -> None:
        """
        Store the bytes that are in no piece, however few: as the last part of a piece, or as a short one.

        :raises PresignSiblingsError: Something could not be stored.
        """
        body, self._body = self._body, self._store.bodies.new()
        if self._open is not None:
            await self._close(body)
        elif body.tell():
            body.truncate()
            self.adopt(await self._store.put(body))

    async def flush(self) -> None:
        """
        Send all bytes to pieces, but for those of a range that is shorter than a part.

        :raises PresignSiblingsError: Something could not be stored.
        """
        self._body.write(self._encoder.flush())
        while self._body.tell() >= self._store.part:
            await self._store_part()
        # A finished range keeps only its own bytes, not a buffer for a whole part: there may be many such ranges.
        if self._open is None:
            self._body = self._store.bodies.kept(self._body)
        else:
            await self._close(self.take())

    async def settle(self) -> None:
        """
        Wait until all that was sent is in pieces.

        :raises PresignSiblingsError: Something could not be stored.
        """
        while self._closing:
            self.pieces.append(await self._closing[0][1])
            self._closing.pop(0)

    async def abort(self) -> None:
        """Drop the pieces under way."""
        for _, task in self._closing:
            task.cancel()
        found = await asyncio.gather(*(task for _, task in self._closing), return_exceptions=True)
        self.pieces += [piece for piece in found if isinstance(piece, Piece)]
        for piece in (*(piece for piece, _ in self._closing), self._open):
            if piece is not None:
                await piece.abort()

    async def _begin(self) -> None:
        """Read a last piece that is shorter than a part again, so that hops of little work leave no tiny pieces."""
        self._is_begun, self._body = True, self._store.bodies.new()
        if self.pieces and self.pieces[-1].size < self._store.part:
            last = self.pieces.pop()
            self.spent.append(last.key)
            self._body.write(await self._store.read(last, 0, last.size))

    async def _store_part(self) -> None:
        """Give a part to the store; the piece ends with its last allowed part."""
        body = self._body
        body.seek(self._store.part)
        self._body = self._store.bodies.new()
        self._body.write(body.read())
        body.truncate(self._store.part)
        body.seek(self._store.part)
        self._open = self._open or self._store.open()
        self._parts += 1
        if self._parts == PIECE_PARTS:
            await self._close(body)
        else:
            await self._open.add(body)

    async def _close(self, last: Body) -> None:
        """Let the piece end with a part; the wait until it is stored comes later, while other pieces are written."""
        if self._open is None:
            return
        if last.tell():
            last.truncate()
            await self._open.add(last)
        piece, self._open, self._parts = self._open, None, 0
        self._closing.append((piece, asyncio.create_task(piece.close())))
