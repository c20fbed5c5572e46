from __future__ import annotations

import gzip
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.confluent.body import read_body
from tests import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

LIMIT = 1000


async def received(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(*chunks: bytes) -> bytes:
    return await read_body(received(chunks), limit=LIMIT)


@given(
    body=st.binary(max_size=LIMIT),
    cuts=st.lists(st.integers(0, LIMIT), max_size=5),
    compressed=st.booleans(),
)
def test_a_body_is_read_however_it_is_chunked_and_compressed(
    body: bytes, cuts: list[int], *, compressed: bool
) -> None:
    sent = gzip.compress(body) if compressed else b"{" + body[1:]
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    chunks = [sent[a:b] for a, b in pairwise(edges)]
    assert virtual_time.run(read(*chunks)) == (body if compressed else sent)


async def test_the_first_byte_may_come_alone() -> None:
    sent = gzip.compress(b"hello")
    assert await read(sent[:1], sent[1:2], sent[2:]) == b"hello"


async def test_the_limit_is_exact_to_the_byte() -> None:
    assert len(await read(b"x" * LIMIT)) == LIMIT
    with pytest.raises(ValueError, match="the body exceeds 1000 bytes"):
        await read(b"x" * LIMIT, b"x")
    assert len(await read(gzip.compress(b"x" * LIMIT))) == LIMIT
    with pytest.raises(ValueError, match="the body exceeds 1000 bytes"):
        await read(gzip.compress(b"x" * (LIMIT + 1)))


async def test_reading_stops_as_soon_as_the_limit_is_exceeded() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 300

    with pytest.raises(ValueError, match="exceeds"):
        await read_body(endless(), limit=LIMIT)
    assert taken == 4


async def test_a_gzip_bomb_is_never_held_whole() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(compressor.compress(b"\0" * 2**20) for _ in range(64)) + compressor.flush()
    with pytest.raises(ValueError, match="exceeds"):
        await read(bomb)


@pytest.mark.parametrize("sent", [gzip.compress(b"hello", mtime=0)[:size] for size in (20, 4)])
async def test_a_truncated_gzip_stream_is_rejected(sent: bytes) -> None:
    with pytest.raises(ValueError, match="ends too early"):
        await read(sent)


async def test_a_broken_gzip_stream_is_rejected() -> None:
    with pytest.raises(ValueError, match="is broken"):
        await read(b"\x1f\x8bnot gzip at all")


@given(
    parts=st.lists(st.binary(max_size=100), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, LIMIT), max_size=5),
)
def test_a_gzip_stream_may_have_several_members(parts: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(map(gzip.compress, parts))
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    chunks = [sent[a:b] for a, b in pairwise(edges)]
    assert virtual_time.run(read(*chunks)) == b"".join(parts)


async def test_the_limit_applies_to_all_members_together() -> None:
    half = gzip.compress(b"x" * (LIMIT // 2))
    assert len(await read(half + half)) == LIMIT
    with pytest.raises(ValueError, match="the body exceeds 1000 bytes"):
        await read(half + half + gzip.compress(b"x"))


async def test_a_truncated_second_member_is_rejected() -> None:
    whole = gzip.compress(b"hello")
    for end in (whole[:1], whole[:2], whole[:-1]):
        with pytest.raises(ValueError, match="ends too early"):
            await read(whole + end)


async def test_more_than_1000_members_are_rejected() -> None:
    with pytest.raises(ValueError, match="more than 1000 members"):
        await read_body(received([gzip.compress(b"") * 1001]), limit=1_000_000)
    assert await read_body(received([gzip.compress(b"") * 1000]), limit=1_000_000) == b""


async def test_a_stream_of_empty_blocks_is_rejected() -> None:
    header, block = gzip.compress(b"")[:10], b"\x00\x00\x00\xff\xff"
    assert await read(header, *[block] * 100, gzip.compress(b"")[10:]) == b""
    with pytest.raises(ValueError, match="the body exceeds 1000 bytes"):
        await read(header, *[block] * 1000)


async def test_bytes_after_the_gzip_stream_are_rejected() -> None:
    assert await read(gzip.compress(b"hello"), b"") == b"hello"
    with pytest.raises(ValueError, match="continues after its gzip stream"):
        await read(gzip.compress(b"hello"), b"", b"trailing")
    with pytest.raises(ValueError, match="continues after its gzip stream"):
        await read(gzip.compress(b"hello") + b"trailing")
