from __future__ import annotations

import tracemalloc
from itertools import islice
from random import Random

import pytest

from exporter.exposition.body import SLICE, WHOLE, Body
from exporter.exposition.document import Block, Document, assemble, chunk, chunks, section
from exporter.exposition.groups import Groups


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [1],
        [0, 0, 5, 0],
        [SLICE],
        [SLICE - 1, 1, 1],
        [SLICE + 1],
        [1, SLICE, SLICE - 1],
        [WHOLE - 1, 1],
        [WHOLE, 1],
        [3 * SLICE, 0, 7],
        [10] * 20_000,
        [100, 5 * SLICE - 100, 2 * SLICE + 3, 9],
    ],
)
def test_slices_contain_the_parts_in_order(sizes: list[int]) -> None:
    parts = [Random(number).randbytes(size) for number, size in enumerate(sizes)]
    whole = b"".join(parts)
    slices = list(Body(parts, len(whole)))
    assert b"".join(slices) == whole
    if len(whole) <= WHOLE:
        assert len(slices) == bool(whole)
        return
    assert [len(each) for each in slices[:-1]] == [SLICE] * (len(slices) - 1)
    assert 0 < len(slices[-1]) <= SLICE


@pytest.mark.parametrize("encoding", ["plain", "gzip"])
def test_a_partly_sent_body_needs_no_memory_of_its_own(encoding: str) -> None:
    lines = "".join(f"a {Random(number).random()}\n" for number in range(100_000))
    layout = [Block("one", section((chunk(b"# one\n"),)))]
    groups = Groups().all([chunks({"one": lines}, {})])
    document = Document(list(assemble(layout, groups, {}).values()))
    bodies = [getattr(document, encoding)(b"tail\n") for _ in range(100)]
    tracemalloc.start()
    try:
        for body in bodies:
            assert len(list(islice(body, 5))) == 5
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bodies[0].size > 10 * SLICE
    assert held / len(bodies) < 10_000
    assert len(b"".join(bodies[0])) == bodies[0].size - 5 * SLICE
