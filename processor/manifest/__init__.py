"""Lines, compression, and the object that they become."""

from processor.manifest.compression import Encoding, Gzip, Plain, lines
from processor.manifest.writer import MAX_PARTS, MIN_PART, ManifestWriter

__all__ = [
    "MAX_PARTS",
    "MIN_PART",
    "Encoding",
    "Gzip",
    "ManifestWriter",
    "Plain",
    "lines",
]
