"""Lines, compression, and the object that they become."""

from processor.manifest.composer import Composer, S3Composer
from processor.manifest.compression import Encoding, Gzip, Plain, lines
from processor.manifest.piece_store import Body, OpenPiece, PieceStore, S3PieceStore
from processor.manifest.range_writers import RangeWriters, Whole
from processor.manifest.writer import MAX_PARTS, MIN_PART, ManifestWriter

__all__ = [
    "MAX_PARTS",
    "MIN_PART",
    "Body",
    "Composer",
    "Encoding",
    "Gzip",
    "ManifestWriter",
    "OpenPiece",
    "PieceStore",
    "Plain",
    "RangeWriters",
    "S3Composer",
    "S3PieceStore",
    "Whole",
    "lines",
]
