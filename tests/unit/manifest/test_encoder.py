"""A range's bytes, wherever they are cut, make one manifest: the same lines, or one gzip member."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.job import EncodedBytes
from processor.manifest.encoder import HEADER, Encoder, encoded_as, ends

if TYPE_CHECKING:
    from collections.abc import Sequence


def whole(ranges: Sequence[Sequence[Sequence[bytes]]], compression: str) -> tuple[bytes, EncodedBytes]:
    """Encode ranges with one encoder for each hop, which knows only the sums of the hop before."""
    body, lines = b"", EncodedBytes()
    for hops in ranges:
        encoded = EncodedBytes()
        for hop in hops:
            encoder = Encoder(compression, encoded)
            body += b"".join(map(encoder.encode, hop)) + encoder.flush()
            encoded = encoder.encoded
        lines += encoded
    header, trailer = ends(compression, lines)
    return header + body + trailer, encoded_as(header) + lines + encoded_as(trailer)


RANGES = st.lists(
    st.lists(st.lists(st.binary(max_size=200), max_size=3), min_size=1, max_size=3), min_size=1, max_size=4
)


@settings(max_examples=150)
@given(ranges=RANGES)
def test_any_ranges_cut_into_any_hops_are_one_gzip_member(ranges: list[list[list[bytes]]]) -> None:
    """No line is lost on readers that stop after a first member, as browsers do."""
    body, encoded = whole(ranges, "gzip")
    data = b"".join(line for hops in ranges for hop in hops for line in hop)
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(body) + reader.flush() == data == gzip.decompress(body)
    assert (reader.eof, reader.unused_data, body[:10]) == (True, b"", HEADER)
    assert encoded == EncodedBytes(len(data), zlib.crc32(data), len(body), zlib.crc32(body))


@given(ranges=RANGES)
def test_plain_ranges_are_their_lines(ranges: list[list[list[bytes]]]) -> None:
    """Nothing is between them, before or after them."""
    body, encoded = whole(ranges, "none")
    assert body == b"".join(line for hops in ranges for hop in hops for line in hop)
    assert encoded == EncodedBytes(len(body), zlib.crc32(body), len(body), zlib.crc32(body))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_second_flush_adds_nothing(compression: str) -> None:
    """A range that is finished and then handed over does not grow."""
    encoder = Encoder(compression, EncodedBytes())
    encoder.encode(b"line\n")
    encoder.flush()
    before = encoder.encoded
    assert encoder.flush() == b""
    assert encoder.encoded == before


def test_the_trailer_counts_lines_modulo_four_gibibytes() -> None:
    """As RFC 1952 requires."""
    _, trailer = ends("gzip", EncodedBytes(length=(1 << 32) + 5, crc32=0x01020304))
    assert trailer[-8:] == bytes([4, 3, 2, 1, 5, 0, 0, 0])
