"""The CRC-32 of bytes put together, from those of the parts.

CRC-32 takes bytes for a polynomial over GF(2), where adding is exclusive or, and is the remainder
of its division by P, the polynomial of RFC 1952 §8. Bytes in front of n others are that many
times eight powers of x higher, so that

    crc(A B) = crc(A) · x^(8n) + crc(B)  mod P,  where n is the length of B.

The ones that a sum starts from and the inversion at its end cancel each other in this.

Polynomials are integers here, as in the RFC: the highest of the 32 bits is the coefficient of x^0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_P = 0xEDB88320
"""Without its x^32."""
_BITS = tuple(1 << bit for bit in reversed(range(32)))
"""x^0, x^1 and so on."""


@dataclass(frozen=True)
class Checksum:
    """The CRC-32 of some bytes, ready to go behind others."""

    crc: int
    shift: int
    """x^(8n) mod P, where n is how many bytes they are."""

    def behind(self, crc: int) -> int:
        """Return the CRC-32 of these bytes behind those of which it is ``crc``."""
        return _product(crc, self.shift) ^ self.crc


def checksum(crc: int, size: int) -> Checksum:
    """Return the checksum of ``size`` bytes of which the CRC-32 is ``crc``."""
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
    """Return ``one`` · ``other`` mod P: the sum of ``other`` · x^i for each x^i in ``one``."""
    product = 0
    for bit in _BITS:
        if one & bit:
            product ^= other
        other = other >> 1 ^ (_P if other & 1 else 0)  # · x
    return product
