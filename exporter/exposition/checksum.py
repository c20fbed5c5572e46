"""CRC-32 checksums that can be combined without reading the bytes again.

CRC-32 treats bytes as a polynomial over GF(2), where addition is XOR. It is the remainder of the
division by P, the polynomial of RFC 1952 §8. Appending n bytes multiplies the polynomial of the
preceding bytes by x^(8n), so that

    crc(A B) = crc(A) · x^(8n) + crc(B)  mod P,  where n is the length of B.

The initial value and the final inversion of the checksum cancel each other out in this equation.

Polynomials are represented as integers, as in the RFC: the highest of the 32 bits is the
coefficient of x^0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_P = 0xEDB88320
"""Without the term x^32."""
_BITS = tuple(1 << bit for bit in reversed(range(32)))
"""x^0, x^1, …, x^31."""


@dataclass(frozen=True)
class Checksum:
    """The CRC-32 of n bytes, with the factor needed to append them to others."""

    crc: int
    shift: int
    """x^(8n) mod P."""

    def extend_crc(self, crc: int) -> int:
        """Return ``crc``, the CRC-32 of the preceding bytes, extended by these bytes."""
        return _product(crc, self.shift) ^ self.crc


def checksum(crc: int, size: int) -> Checksum:
    """Return the checksum of ``size`` bytes that have the CRC-32 ``crc``."""
    shift = _BITS[0]
    for exponent in range(size.bit_length()):
        if size >> exponent & 1:
            shift = _product(shift, _shift(exponent))
    return Checksum(crc, shift)


@cache
def _shift(exponent: int) -> int:
    """Return x^(8 · 2^exponent) mod P."""
    if exponent == 0:
        return _BITS[8]
    half = _shift(exponent - 1)
    return _product(half, half)


def _product(one: int, other: int) -> int:
    """Return ``one`` · ``other`` mod P, the sum of ``other`` · x^i for each x^i in ``one``."""
    product = 0
    for bit in _BITS:
        if one & bit:
            product ^= other
        other = other >> 1 ^ (_P if other & 1 else 0)  # · x
    return product
