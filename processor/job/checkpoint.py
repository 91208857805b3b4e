"""How far a run is at a page boundary, and the object that keeps it in S3."""

from __future__ import annotations

import json
import zlib
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from processor.job.counts import Counts
from processor.job.encoded_bytes import EncodedBytes
from processor.job.key_range import KeyRange
from processor.job.sample import Sample
from processor.job.written_range import CommitState, Part, Piece, WrittenRange

FORMAT = 2


class OtherFormatError(Exception):
    """
    Another version of this product wrote the checkpoint.

    :param upload_id: The multipart upload at the manifest's own key that the first version carried along, if any.
    """

    def __init__(self, upload_id: str | None = None) -> None:
        self.upload_id = upload_id
        super().__init__("another version wrote the checkpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """
    How far a run is at a page boundary.

    :param hop:     The hop that continues from here; 0 is the first.
    :param counts:  Counts of the whole run so far.
    :param ranges:  All of its key space, in key order, with what is written of it.
    :param commit:  How far the manifest is put together; ``None`` until every range is done.
    :param spent:   Pieces that no longer count, to be deleted with the others.
    :param key_map: Keys at about equal distances, as the listing learnt them; in the form of the map's file.
    """

    job_key: str
    job_id: str
    hop: int = 0
    counts: Counts = Counts()  # noqa: RUF009 - frozen
    ranges: tuple[WrittenRange, ...] = ()
    commit: CommitState | None = None
    spent: tuple[str, ...] = ()
    key_map: dict[str, Any] | None = None

    @property
    def front(self) -> KeyRange:
        """The first range that is not done, or the last one: every key before its place is listed and written."""
        return next((written.range for written in self.ranges if not written.range.done), self.ranges[-1].range)

    @property
    def is_listed(self) -> bool:
        """Whether every range is done."""
        return all(written.range.done for written in self.ranges)

    @property
    def size(self) -> int:
        """Encoded bytes so far."""
        return sum(written.encoded.size for written in self.ranges)

    @property
    def pieces(self) -> list[str]:
        """The keys of all pieces, including those that no longer count."""
        return [*self.spent, *(piece.key for written in self.ranges for piece in written.pieces)]

    def to_bytes(self) -> bytes:
        """Return the checkpoint object: a line with format and checksum, then the checkpoint as JSON."""
        expires_at = self.counts.expires_at
        body = json.dumps(
            {
                "job_key": self.job_key,
                "job_id": self.job_id,
                "hop": self.hop,
                "counts": [self.counts.count, self.counts.errors, self.counts.pages],
                "left": [self.counts.archived, dict(self.counts.skipped)],
                **({"hindered": dict(self.counts.hindered)} if self.counts.hindered else {}),
                "sample": astuple(self.counts.sample),
                "expires_at": expires_at and expires_at.isoformat(),
                "ranges": [
                    [*astuple(written.range), astuple(written.encoded), [astuple(piece) for piece in written.pieces]]
                    for written in self.ranges
                ],
                "commit": self.commit
                and [self.commit.upload_id, list(map(astuple, self.commit.parts)), self.commit.equal],
                "spent": self.spent,
                "key_map": self.key_map,
            }
        ).encode()
        return json.dumps({"format": FORMAT, "crc32": zlib.crc32(body)}).encode() + b"\n" + body

    @classmethod
    def from_bytes(cls, stored: bytes) -> Checkpoint:
        """
        Read a checkpoint object.

        :raises OtherFormatError: Another version wrote it.
        :raises ValueError: The bytes are no checkpoint, or a damaged one.
        """
        try:
            body = _checked(stored)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError("the object is not a checkpoint, or is damaged") from error
        try:
            return _read(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            # The checksum holds, so these bytes are as another version wrote them: with more counts, say.
            raise OtherFormatError from error


def _checked(stored: bytes) -> bytes:
    """Return the checkpoint's JSON, as it was written."""
    head, _, body = stored.partition(b"\n")
    found = json.loads(head)
    if "upload" in found:
        raise OtherFormatError(found["upload"]["upload_id"])
    if found["format"] != FORMAT:
        raise OtherFormatError
    if zlib.crc32(body) != found["crc32"]:
        raise ValueError("bytes that differ from those written")
    return body


def _read(found: dict[str, Any]) -> Checkpoint:
    count, errors, pages = found.pop("counts")
    archived, skipped = found.pop("left", (0, {}))
    hindered, expires_at, sample = found.pop("hindered", {}), found.pop("expires_at"), found.pop("sample", ())
    ranges, commit, spent = found.pop("ranges"), found.pop("commit"), found.pop("spent")
    return Checkpoint(
        counts=Counts(
            count=count,
            errors=errors,
            pages=pages,
            archived=archived,
            skipped=skipped,
            hindered=hindered,
            sample=Sample.restored(*sample),
            expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        ),
        ranges=tuple(
            WrittenRange(KeyRange(*place), EncodedBytes(*encoded), tuple(Piece(*piece) for piece in pieces))
            for *place, encoded, pieces in ranges
        ),
        commit=commit and CommitState(commit[0], tuple(Part(*part) for part in commit[1]), commit[2]),
        spent=tuple(spent),
        **found,
    )


class Gathered(NamedTuple):
    """
    How far the chains of a job have come.

    :param checkpoint: The job's ranges; those that are done have their pieces.
    :param reason:     Why some ranges are not done.
    :param failed:     Why the job cannot continue: the checkpoint then names all pieces of all chains, to be deleted.
    """

    checkpoint: Checkpoint
    reason: str | None = None
    failed: str | None = None
