"""Lines, the pieces that they are written to, and the manifest that is put together from these."""

from processor.manifest.bodies import Bodies
from processor.manifest.composer import Composer, S3Composer, Sink, open_s3_sink
from processor.manifest.json_lines import lines
from processor.manifest.part_plan import MIN_PART
from processor.manifest.patience import PAUSE_SECONDS, Patience
from processor.manifest.piece_store import Body, PieceStore
from processor.manifest.range_writers import RangeWriters, Whole
from processor.manifest.requests import answered, body_of
from processor.manifest.s3_piece_store import PIECES, S3PieceStore
from processor.manifest.stable_object import Edition, StableObject

__all__ = [
    "MIN_PART",
    "PAUSE_SECONDS",
    "PIECES",
    "Bodies",
    "Body",
    "Composer",
    "Edition",
    "Patience",
    "PieceStore",
    "RangeWriters",
    "S3Composer",
    "S3PieceStore",
    "Sink",
    "StableObject",
    "Whole",
    "answered",
    "body_of",
    "lines",
    "open_s3_sink",
]
