"""
The commit: puts the manifest together from its pieces, in key order, on the store's side where the store can copy.

The commit is work like any other: it can run out of time, be killed, handed over and done twice. A ``CommitState`` says
how far it is; the plan of the parts follows from the sizes alone, so every holder makes the same plan.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from processor.errors import CheckpointLostError, RetryableError, SourceRefusedError
from processor.job import CommitState, Part, Piece
from processor.manifest.manifest_object import ManifestObject
from processor.manifest.part_filler import PartFiller
from processor.manifest.part_plan import Slice, plan_copies, plan_equal
from processor.manifest.requests import PartsRefusedError, UploadGoneError
from processor.manifest.s3_piece_store import S3PieceStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job
    from processor.manifest.part_plan import PlannedPart
    from processor.manifest.patience import Patience
    from processor.manifest.piece_store import PieceStore
    from processor.manifest.range_writers import Whole

QUICKLY = 1000  # parts: S3 makes an object of them well within the time that is kept free
_ATTEMPTS = 3  # an upload may be aborted, and copies refused


class Composer(Protocol):
    """Lets the manifest appear: in S3, or on a laptop in a file."""

    async def found(self) -> Mapping[str, str] | None:
        """Return the metadata of this run's manifest, or ``None`` while there is no manifest."""

    async def compose(
        self, whole: Whole, about: Mapping[str, str], state: CommitState | None, time_left: Callable[[], float]
    ) -> CommitState | Mapping[str, str]:
        """
        Put the manifest together.

        :param about:     The manifest's metadata.
        :param state:     How far an earlier hop came.
        :param time_left: Seconds; asked between the steps, of which one is always taken.
        :return: The metadata of the manifest, once it is there; or how far this hop came.
        """

    async def forget(self, state: CommitState) -> None:
        """Drop what was begun, by an earlier hop or by one that has failed."""


class Sink(NamedTuple):
    """
    Where a run writes.

    :param pieces:   Takes its pieces.
    :param composer: Puts the manifest together from them.
    """

    pieces: PieceStore
    composer: Composer


class S3Composer:
    """
    Composes a manifest in S3.

    :param pieces: Where the pieces lie.
    :param job:    Says where the manifest lies, and how many requests may be under way.
    :param job_id: The run.
    :param equal:  Whether the store demands parts of equal size; a store that refuses to copy gets them, too.
    """

    def __init__(self, pieces: S3PieceStore, job: Job, job_id: str, *, equal: bool) -> None:
        self._object = ManifestObject(pieces.client, job, job_id)
        self._equal, self._part = equal, pieces.part
        self._filler = PartFiller(pieces, self._object.place, 2 * job.concurrency)
        self._doing, self._patience = self._object.doing, pieces.patience

    async def found(self) -> Mapping[str, str] | None:
        """Return the metadata of this run's manifest, or ``None`` while there is no manifest."""
        return await self._object.found()

    async def forget(self, state: CommitState) -> None:
        """Abort the upload."""
        await self._object.forget(state.upload_id)

    async def compose(
        self, whole: Whole, about: Mapping[str, str], state: CommitState | None, time_left: Callable[[], float]
    ) -> CommitState | Mapping[str, str]:
        """
        Put the manifest together.

        :raises CheckpointLostError: A piece is gone, or the bytes are not those that were accounted for.
        :raises PresignSiblingsError: S3 refuses otherwise.
        """
        equal = self._equal or (state is not None and state.equal)
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return await self._attempt(whole, about, state, time_left, equal=equal)
                except UploadGoneError:
                    state = None  # by the bucket's lifecycle rule, or by an operator; the pieces are still there
                except PartsRefusedError as refusal:
                    if equal:
                        raise CheckpointLostError(f"cannot {self._doing}: S3 answered {refusal}") from refusal
                    state, equal = None, True
        except (CheckpointLostError, SourceRefusedError):
            # The piece is gone, or denied to a role that may not list: another holder of this run may have committed
            # first, and deletes the pieces after that.
            if (metadata := await self.found()) is None:
                raise
            return metadata
        raise RetryableError(f"cannot {self._doing}: its uploads are aborted again and again")

    async def _attempt(
        self,
        whole: Whole,
        about: Mapping[str, str],
        state: CommitState | None,
        time_left: Callable[[], float],
        *,
        equal: bool,
    ) -> CommitState | Mapping[str, str]:
        sizes = [source.size if isinstance(source, Piece) else len(source.getbuffer()) for source in whole.sources]
        if whole.encoded.size < self._part:
            slices = tuple(Slice(number, 0, size) for number, size in enumerate(sizes))

            async def put() -> Mapping[str, str]:
                body = await self._filler.read(whole.sources, slices)
                return await self._object.put(body, whole.encoded.checksum, about)

            return await self._patience.keep(put)
        parts = (plan_equal if equal else plan_copies)(sizes, self._part)
        begun = state
        state = state or CommitState(await self._patience.keep(lambda: self._object.create(about)), equal=equal)
        try:
            return await self._continued(whole, parts, about, state, time_left)
        except BaseException as error:
            # No checkpoint names an upload that this attempt began; an earlier one may still be continued.
            if begun is None or isinstance(error, PartsRefusedError):
                await self._object.forget(state.upload_id)
            raise

    async def _continued(
        self,
        whole: Whole,
        parts: Sequence[PlannedPart],
        about: Mapping[str, str],
        state: CommitState,
        time_left: Callable[[], float],
    ) -> CommitState | Mapping[str, str]:
        """
        Make the missing parts while there is time, then the object; where S3 fails for longer, the parts count.

        :raises RetryableError: S3 fails for now, and this hop has made no part.
        """
        etags = {part.number: part.etag for part in state.parts}
        had = len(etags)
        fill = partial(self._filler.fill, state.upload_id, whole.sources, parts, etags, time_left)
        try:
            await self._patience.keep(fill)
            is_late = had < len(parts) and len(parts) > QUICKLY and time_left() <= 0
            if len(etags) == len(parts) and not is_late:
                size, made = whole.encoded.size, _in_order(etags)
                complete = partial(self._object.complete, state.upload_id, made, size, about)
                return await self._patience.keep(complete)
        except UploadGoneError:
            raise
        except RetryableError:
            if len(etags) == had:
                raise
        return replace(state, parts=_in_order(etags))


def _in_order(etags: Mapping[int, str]) -> tuple[Part, ...]:
    return tuple(Part(number, etags[number]) for number in sorted(etags))


def open_s3_sink(
    client: S3Client, job: Job, job_id: str, holder: str, *, equal: bool, patience: Patience | None = None
) -> Sink:
    """
    Open a run's place in S3.

    :param holder: The claim that writes.
    :param equal:  Whether the store demands parts of equal size.
    :param patience: How long its writes wait for S3.
    """
    pieces = S3PieceStore(client, job, job_id, holder, patience)
    return Sink(pieces, S3Composer(pieces, job, job_id, equal=equal))
