"""Sizes and checksums of encoded bytes; those of two neighbours add up without reading the bytes again."""

from __future__ import annotations

import functools
from dataclasses import dataclass

_POLYNOMIAL = 0xEDB88320  # CRC-32 as in gzip (RFC 1952), lowest bit first
_ONE = 1 << 31  # the polynomial 1 in that order of bits
_ORDER = 32  # x**(2**32) is x again, modulo the polynomial


@dataclass(frozen=True, slots=True)
class EncodedBytes:
    """
    Sizes and checksums of encoded bytes.

    :param length:   Bytes before compression.
    :param crc32:    CRC-32 of the bytes before compression.
    :param size:     Bytes as they are stored.
    :param checksum: CRC-32 of the bytes as they are stored.
    """

    length: int = 0
    crc32: int = 0
    size: int = 0
    checksum: int = 0

    def __add__(self, after: EncodedBytes) -> EncodedBytes:
        """Return sizes and checksums of these bytes with other bytes after them."""
        return EncodedBytes(
            self.length + after.length,
            combined(self.crc32, after.crc32, after.length),
            self.size + after.size,
            combined(self.checksum, after.checksum, after.size),
        )


def combined(first: int, second: int, length: int) -> int:
    """
    Return the CRC-32 of two byte strings put together.

    Each byte that follows multiplies the remainder by x**8, so the first remainder is multiplied by x**(8 * length).

    :param first:  CRC-32 of the first.
    :param second: CRC-32 of the second.
    :param length: Bytes of the second.
    """
    if not first:  # as a rule, because there are no bytes before
        return second
    factor, power = _ONE, 3  # x**8 is x**(2**3)
    while length:
        if length & 1:
            factor = _product(factor, _squared(power % _ORDER))
        length >>= 1
        power += 1
    return _product(first, factor) ^ second


def _product(one: int, other: int) -> int:
    """Multiply two polynomials over GF(2), modulo the CRC's own."""
    product, bit = 0, _ONE
    while bit:
        if one & bit:
            product ^= other
        other = (other >> 1) ^ (_POLYNOMIAL if other & 1 else 0)
        bit >>= 1
    return product


@functools.cache
def _squared(times: int) -> int:
    """Return x**(2**times), modulo the polynomial."""
    return _product(_squared(times - 1), _squared(times - 1)) if times else _ONE >> 1
