"""Makes the parts of the manifest's upload, many at once: copied by the store, or read and written."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from processor.answers import MALFORMED
from processor.errors import PresignSiblingsError, error_code
from processor.job import Piece
from processor.manifest.piece_store import Body
from processor.manifest.requests import PartsRefusedError, answered, stated
from processor.together import together

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from processor.manifest.part_plan import PlannedPart, Slice
    from processor.manifest.s3_piece_store import S3PieceStore

Source = Piece | Body
MOST_JOINED = 4  # parts that are read and written, at once: 40 MiB of memory, and more than Lambda's network carries
_REFUSALS = frozenset({400, 403, 405, 501})  # HTTP status of a store that does not copy; not of one that is busy
_PASSING = frozenset(
    {"ExpiredToken", "RequestTimeout", "RequestTimeTooSkewed", "ThrottlingException"}
)  # with S3's status 400 or 403


class PartFiller:
    """
    Fills one multipart upload.

    :param pieces:  Where the pieces lie, and how many parts may be in memory.
    :param place:   Bucket and key of the upload.
    :param at_once: Parts under way.
    """

    def __init__(self, pieces: S3PieceStore, place: dict[str, Any], at_once: int) -> None:
        self._client, self._pieces, self._place, self._at_once = pieces.client, pieces, place, at_once
        self._joining = asyncio.Semaphore(MOST_JOINED)
        self._doing = f"put s3://{place['Bucket']}/{place['Key']} together"

    async def fill(
        self,
        upload_id: str,
        sources: Sequence[Source],
        parts: Sequence[PlannedPart],
        etags: dict[int, str],
        time_left: Callable[[], float],
    ) -> None:
        """
        Make the missing parts, at least one, until all are there or no time is left for one more.

        :param etags: The ETags of the parts that are there, by number; those of the new parts are added.
        :param time_left: Seconds.
        :raises PartsRefusedError: The store copies no parts.
        :raises PresignSiblingsError: S3 refuses otherwise.
        """
        missing = [number for number in range(1, len(parts) + 1) if number not in etags]
        numbers, clock = iter(missing), asyncio.get_running_loop().time
        longest = 0.0  # seconds of a part; a copy of gigabytes can take longer than what is kept free at the end

        async def work() -> None:
            nonlocal longest
            for number in numbers:
                place, began = {**self._place, "UploadId": upload_id, "PartNumber": number}, clock()
                etags[number] = await self._part(place, sources, parts[number - 1])
                longest = max(longest, clock() - began)
                if time_left() <= longest:
                    return

        await together(work() for _ in range(min(self._at_once, len(missing))))

    async def read(self, sources: Sequence[Source], slices: Sequence[Slice]) -> Body:
        """
        Return the bytes of some slices, put together, from their beginning.

        :raises PieceLostError: A piece is gone.
        """
        sizes = [some.size for some in slices]
        body, places = self._pieces.bodies.new(sum(sizes)), accumulate(sizes, initial=0)

        async def one(some: Slice, at: int) -> None:
            async for block in self._blocks(sources[some.source], some):
                body.seek(at)
                at += body.write(block)

        await together(map(one, slices, places))
        body.truncate(sum(sizes))
        body.seek(0)
        return body

    async def _blocks(self, source: Source, some: Slice) -> AsyncGenerator[bytes | memoryview]:
        if isinstance(source, Piece):
            async with aclosing(self._pieces.blocks(source, some.start, some.end)) as blocks:
                async for block in blocks:
                    yield block
        else:
            yield source.getbuffer()[some.start : some.end]

    async def _part(self, place: dict[str, Any], sources: Sequence[Source], part: PlannedPart) -> str:
        """Make one part; return its ETag."""
        source = sources[part.slices[0].source]
        if part.copied and isinstance(source, Piece):
            return await self._copy(place, source, part.slices[0])
        async with self._joining:
            body = await self.read(sources, part.slices)
            answer = await answered(self._client.upload_part(**place, Body=body), self._doing)
            self._pieces.bodies.reuse(body)
        return stated(answer, "ETag", self._doing)

    async def _copy(self, place: dict[str, Any], piece: Piece, some: Slice) -> str:
        """Let the store copy a part; return its ETag."""
        if some.size < piece.size:
            place["CopySourceRange"] = f"bytes={some.start}-{some.end - 1}"
        source: Any = {"Bucket": place["Bucket"], "Key": piece.key}
        doing = f"copy s3://{place['Bucket']}/{piece.key} into the manifest"
        try:
            answer = await answered(self._client.upload_part_copy(**place, CopySource=source), doing)
        except PresignSiblingsError as error:
            if _is_for_good(error):
                raise PartsRefusedError("with a refusal to copy") from error
            raise
        found = answer.get("CopyPartResult")
        if not found:  # a store that does not know the operation takes the request for an empty part
            raise PartsRefusedError("without the ETag of the copy")
        return stated(found, "ETag", doing)


def _is_for_good(error: PresignSiblingsError) -> bool:
    """Return whether a store refuses to copy at all, or takes the request for an empty part."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    code, status = error_code(cause), cause.response["ResponseMetadata"]["HTTPStatusCode"]
    return code == MALFORMED or (status in _REFUSALS and code not in _PASSING)
