from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.checksum import checksum


@given(st.binary(), st.binary())
def test_the_checksum_of_two_parts_is_that_of_the_whole(front: bytes, back: bytes) -> None:
    together = checksum(zlib.crc32(back), len(back)).extend_crc(zlib.crc32(front))
    assert together == zlib.crc32(front + back)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 2**20 - 1, 2**20, 3_000_001])
def test_the_second_part_may_have_any_length(size: int) -> None:
    back = b"x" * size
    assert checksum(zlib.crc32(back), size).extend_crc(zlib.crc32(b"front")) == zlib.crc32(
        b"front" + back
    )
