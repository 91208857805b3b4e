"""Where a run stands at a page boundary, and the object that keeps it in S3."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part, with the ETag that S3 answered."""

    number: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """
    A manifest under way.

    :param upload_id: The multipart upload; ``None`` until the first part is cut.
    :param tail:      Encoded bytes that are in no part yet (under 5 MiB).
    :param size:      Encoded bytes so far, the tail included.
    :param length:    Bytes before compression, of which ``crc32`` is the checksum, when they are compressed.
    :param checksum:  CRC-32 of the ``size`` encoded bytes; ``None`` after an older version's checkpoint.
    """

    upload_id: str | None = None
    parts: tuple[Part, ...] = ()
    tail: bytes = b""
    size: int = 0
    length: int = 0
    crc32: int = 0
    checksum: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """
    Where a run stands at a page boundary.

    :param hop:         The hop that goes on from here; 0 is the first.
    :param cursor:      S3 continuation token of the next page.
    :param start_after: Last key listed.
    :param expires_at:  Earliest death of any URL signed so far.
    """

    job_key: str
    job_id: str
    hop: int = 0
    cursor: str | None = None
    start_after: str | None = None
    count: int = 0
    errors: int = 0
    pages: int = 0
    expires_at: datetime | None = None
    upload: Upload = Upload()

    def to_bytes(self) -> bytes:
        """Return the checkpoint object: one line of JSON, then the tail as it is."""
        head = asdict(self)
        tail: bytes = head["upload"].pop("tail")
        head["upload"]["parts"] = [[part.number, part.etag] for part in self.upload.parts]
        head["expires_at"] = self.expires_at and self.expires_at.isoformat()
        return json.dumps(head).encode() + b"\n" + tail

    @classmethod
    def from_bytes(cls, stored: bytes) -> Checkpoint:
        """
        Read a checkpoint object.

        :raises ValueError: The bytes are no checkpoint.
        """
        try:
            line, tail = stored.split(b"\n", 1)
            head = json.loads(line)
            upload = {"checksum": None, **head.pop("upload")}
            parts = tuple(Part(int(number), str(etag)) for number, etag in upload.pop("parts"))
            expires_at = head.pop("expires_at")
            return cls(
                upload=Upload(parts=parts, tail=tail, **upload),
                expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
                **head,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError("the object is no checkpoint") from error
