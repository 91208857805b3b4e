"""Checksums of parts, put together, are the checksum of the whole."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from processor.job import EncodedBytes
from processor.job.encoded_bytes import combined


def known(data: bytes, stored: bytes) -> EncodedBytes:
    """Return length and checksum of some lines, and of the bytes that store them."""
    return EncodedBytes(len(data), zlib.crc32(data), len(stored), zlib.crc32(stored))


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_lengths_and_checksums_of_parts_add_up_to_those_of_the_whole(a: bytes, b: bytes, c: bytes, d: bytes) -> None:
    """For the lines and for the stored bytes, each with its own length."""
    assert known(a, c) + known(b, d) == known(a + b, c + d)


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
def test_any_grouping_gives_the_same(a: bytes, b: bytes, c: bytes) -> None:
    """Ranges are joined as they finish, not from left to right."""
    one, two, three = known(a, a), known(b, b), known(c, c)
    assert (one + two) + three == one + (two + three)


def test_adding_no_bytes_changes_nothing() -> None:
    """An empty range is no special case."""
    some = known(b"line\n", b"line")
    assert EncodedBytes() + some == some == some + EncodedBytes()


def test_lengths_beyond_four_gibibytes_are_combined_too() -> None:
    """A manifest is longer than what 32 bits count; zeros are fed in blocks for comparison."""
    length, block = (1 << 32) + 12_345, bytes(1 << 20)
    crc = zlib.crc32(b"first")
    rest = length
    second = 0
    while rest:
        some = block[: min(rest, len(block))]
        crc, second, rest = zlib.crc32(some, crc), zlib.crc32(some, second), rest - len(some)
    assert combined(zlib.crc32(b"first"), second, length) == crc
