"""The buffers of parts: for many readers on the disk, where there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from processor.manifest.file_body import FileBody, file_body
from processor.manifest.part_plan import MIB
from processor.manifest.piece_store import Body

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE = MIB // 8  # bytes of lines that are written at once, at most
_OVER = 2 * AT_ONCE  # bytes by which a part may be too long until it is cut; what is compressed comes in larger blocks
SHORT = MIB // 4  # bytes that take no memory worth a file


class Bodies:
    """
    Makes buffers, and takes them back.

    :param part:  Bytes of a part.
    :param files: Buffers that may be on the disk at once, at most.
    :param spare: Buffers in memory that are kept for the next parts, at most. Fresh memory of this size comes from the
                  kernel page by page, which took as long as a third of signing.
    """

    def __init__(self, part: int, *, files: int = 0, spare: int = 0) -> None:
        self._part, self._files, self._most_spare = part, files, spare
        self._spare, self._on_disk = list[Body](), WeakSet[FileBody]()

    def new(self, size: int | None = None) -> Body:
        """
        Return a buffer to write into, from its beginning; older bytes may follow.

        :param size: Bytes that it is to hold; a part's where nothing is said.
        """
        body = self._spare.pop() if self._spare else self._file()
        if isinstance(body, FileBody):
            try:
                body.reserve(self._part + _OVER if size is None else size)
            except OSError:  # the disk is full
                return Body()
        return body or Body()

    def reuse(self, body: Body) -> None:
        """Take back a buffer whose bytes are no longer needed."""
        if isinstance(body, FileBody) or len(self._spare) < self._most_spare:
            body.seek(0)
            if isinstance(body, FileBody):
                body.truncate()  # which costs a buffer in memory all that it was kept for
            self._spare.append(body)

    def kept(self, body: Body) -> Body:
        """Return a buffer of the bytes before the place, which are to wait, without room for more."""
        if isinstance(body, FileBody) and body.tell() >= SHORT:
            body.release()
            return body
        kept = Body()
        kept.write(body.getbuffer()[: body.tell()])
        self.reuse(body)
        return kept

    def joined(self, bodies: Sequence[Body]) -> Body:
        """
        Return a buffer of the bytes before the places of some buffers, one after the other, and of nothing else.

        A single buffer is its own.
        """
        whole = bodies[0]
        if len(bodies) > 1:
            whole = self.new(sum(body.tell() for body in bodies))
            for body in bodies:
                whole.write(body.getbuffer()[: body.tell()])
        whole.truncate()
        return whole

    def close(self) -> None:
        """Give the disk back at once: what holds a buffer, such as the traceback of an error, may live for long."""
        for body in self._on_disk:
            body.close()

    def _file(self) -> FileBody | None:
        if len(self._on_disk) >= self._files:
            return None
        made = file_body()
        if made is None:
            self._files = 0
        else:
            self._on_disk.add(made)
        return made
