"""Writes all ranges of a run; in key order, what they hold is the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from processor.job import EncodedBytes, KeyRange, Piece, WrittenRange, grouped
from processor.manifest.encoder import encoded_as, ends
from processor.manifest.part_plan import MIB
from processor.manifest.piece_store import Body
from processor.manifest.range_writer import RangeWriter
from processor.together import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from processor.manifest.piece_store import PieceStore

HELD = 16 * MIB  # of finished ranges in no piece, each with its neighbours less than a part; more is stored
_FREED = 4  # a short piece, which the commit reads again, must free this many times as much as a piece's last part


@dataclass(frozen=True, slots=True)
class Whole:
    """
    A manifest that is ready to be put together.

    :param sources: The manifest's bytes, in order: pieces, and what is in none.
    :param encoded: Sizes and checksums of them all.
    """

    sources: tuple[Piece | Body, ...]
    encoded: EncodedBytes


class RangeWriters:
    """
    One writer a range, by the range's number.

    ``partition`` is always all of the run's ranges in their present state, in key order: a range may have been split.

    :param compression: ``none`` or ``gzip``.
    :param before:      What earlier hops wrote.
    """

    def __init__(self, store: PieceStore, compression: str, before: Sequence[WrittenRange]) -> None:
        self._store, self._compression = store, compression
        self._held = self._finished = 0  # bytes of all ranges, and of the ranges finished since the last look
        self._writers = {
            written.range.number: RangeWriter(store, compression, written.encoded, written.pieces) for written in before
        }

    @property
    def spent(self) -> list[str]:
        """Pieces of earlier hops that no longer count once this hop's checkpoint does."""
        return [key for writer in self._writers.values() for key in writer.spent]

    @property
    def keys(self) -> list[str]:
        """The keys of all pieces, including those that no longer count."""
        return [*self.spent, *(piece.key for writer in self._writers.values() for piece in writer.pieces)]

    async def write(self, number: int, lines: Iterable[bytes]) -> None:
        """
        Take lines of a range, some at a time.

        :raises PresignSiblingsError: Something could not be stored.
        """
        if number not in self._writers:
            self._writers[number] = RangeWriter(self._store, self._compression, EncodedBytes())
        await self._counted(self._writers[number], self._writers[number].write(lines))
        if self._held > self._store.most_held:
            await self._store_most()

    async def finish(self, number: int, partition: Callable[[], Sequence[KeyRange]]) -> None:
        """
        Note that a range is at its end.

        :param partition: Returns all ranges in their present state.
        :raises PresignSiblingsError: Something could not be stored.
        """
        if number in self._writers:
            await self._counted(self._writers[number], self._writers[number].flush())
            self._finished += self._writers[number].held
        # A hop may finish thousands of ranges: all of them are looked at only when there may be something to store.
        if self._finished < min(self._store.part, HELD):
            return
        self._finished = 0
        finished = [neighbours for neighbours in _grouped(partition()) if neighbours[0].done]
        runs = [(run, sum(writer.held for writer in run)) for neighbours in finished for run in self._runs(neighbours)]
        least = self._store.part if sum(held for _, held in runs) <= HELD else 1
        for run, held in runs:
            if held >= least:
                await self._store_held(run)

    async def suspend(self, partition: Sequence[KeyRange]) -> tuple[WrittenRange, ...]:
        """
        Store everything, and return what the next hop needs; finished neighbours are one range from now on.

        :raises PresignSiblingsError: Something could not be stored.
        """
        await self._flush(partition)
        return tuple(await together(map(self._stored, _grouped(partition))))

    async def whole(self, partition: Sequence[KeyRange]) -> Whole:
        """
        Return the manifest; every range is done.

        :raises PresignSiblingsError: Something could not be stored.
        """
        await self._flush(partition)
        encoded = self._encoded(partition)
        header, trailer = ends(self._compression, encoded)
        first, last = ([Body(end)] if end else [] for end in (header, trailer))
        sources = (*first, *self._sources(partition), *last)
        return Whole(sources, encoded_as(header) + encoded + encoded_as(trailer))

    async def abort(self) -> None:
        """Drop what is under way."""
        await together(writer.abort() for writer in self._writers.values())

    async def _stored(self, neighbours: list[KeyRange]) -> WrittenRange:
        for run in self._runs(neighbours):
            await self._store_held(run)
            await run[0].settle()
        pieces = tuple(source for source in self._sources(neighbours) if isinstance(source, Piece))
        return WrittenRange(KeyRange.joined(neighbours), self._encoded(neighbours), pieces)

    async def _store_held(self, run: list[RangeWriter]) -> None:
        """Begin to store what finished neighbours (or one range) hold, with no piece in between, as one piece."""
        taken = [writer.take() for writer in run if writer.held]
        if taken:
            body = self._store.bodies.joined(taken)
            for each in taken:
                if each is not body:
                    self._store.bodies.reuse(each)
            run[0].adopt(await self._store.put(body))

    async def _counted(self, writer: RangeWriter, work: Awaitable[None]) -> None:
        """Wait for the work of a range, and count the bytes that the range then holds more."""
        before = writer.held
        await work
        self._held += writer.held - before

    async def _store_most(self) -> None:
        """Store what one range holds, though it is less than a part: the end of a piece, if it can be."""
        self._held = sum(writer.held for writer in self._writers.values())  # less what was stored since
        if self._held > self._store.most_held:
            most = max(self._writers.values(), key=lambda writer: writer.held * (_FREED if writer.has_parts else 1))
            self._held -= most.held
            await most.store()

    async def _flush(self, partition: Sequence[KeyRange]) -> None:
        lost = self._writers.keys() - {found.number for found in partition}
        if any(self._writers[number].encoded.size for number in lost):
            raise RuntimeError(f"ranges {sorted(lost)} are not in the partition, although keys of them are written")
        await together(writer.flush() for writer in self._in_order(partition))
        await together(writer.settle() for writer in self._in_order(partition))

    def _in_order(self, partition: Sequence[KeyRange]) -> list[RangeWriter]:
        """Return the writers in key order; a range of which nothing came has none."""
        return [self._writers[found.number] for found in partition if found.number in self._writers]

    def _encoded(self, partition: Sequence[KeyRange]) -> EncodedBytes:
        return reduce(add, (writer.encoded for writer in self._in_order(partition)), EncodedBytes())

    def _sources(self, partition: Sequence[KeyRange]) -> list[Piece | Body]:
        """Return what holds the bytes of some ranges, in order; what is in no piece stays where it is."""
        sources = list[Piece | Body]()
        for run in self._runs(partition):
            sources += run[0].pieces
            if held := [writer.body for writer in run if writer.held]:
                sources.append(self._store.bodies.joined(held))
        return sources

    def _runs(self, partition: Sequence[KeyRange]) -> list[list[RangeWriter]]:
        """Return the writers in key order, in groups: only the first of each may have pieces."""
        runs = list[list[RangeWriter]]()
        for writer in self._in_order(partition):
            if not runs or writer.has_pieces:
                runs.append([])
            runs[-1].append(writer)
        return runs


def _grouped(partition: Sequence[KeyRange]) -> list[list[KeyRange]]:
    return grouped(partition, lambda found: found)
