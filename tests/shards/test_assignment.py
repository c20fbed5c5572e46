"""Which shard an organization belongs to, and what happens to it at a resize."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, product

import pytest

from exporter.config import Shard, shard_of

NAMES = [f"org-{number:03d}" for number in range(1000)]
TOTALS = (1, 2, 3, 4, 5, 8, 13, 64, 1000)


@pytest.mark.parametrize(
    ("name", "ordinals"),
    {
        "acme": (0, 1, 1, 3, 3, 3, 3, 48, 626),
        "globex": (0, 0, 2, 2, 2, 6, 6, 63, 978),
        "initech": (0, 1, 1, 3, 3, 3, 10, 42, 171),
        "umbrella": (0, 0, 2, 3, 3, 3, 3, 62, 138),
        "hooli": (0, 1, 2, 2, 4, 4, 11, 11, 11),
        "A.b_c-1": (0, 1, 2, 3, 3, 3, 11, 48, 305),
        "org-000": (0, 1, 1, 3, 3, 7, 8, 53, 53),
        "org-001": (0, 1, 2, 2, 4, 4, 4, 14, 917),
        "x": (0, 1, 1, 1, 1, 7, 7, 27, 803),
    }.items(),
)
def test_the_shard_is_that_of_the_published_algorithm(name: str, ordinals: tuple[int, ...]) -> None:
    """Computed by the C++ code of the paper, in Go, with its floating-point division."""
    assert tuple(shard_of(name, total=total) for total in TOTALS) == ordinals


@pytest.mark.parametrize(
    ("total", "sizes"), [(2, [509, 491]), (3, [354, 323, 323]), (4, [253, 247, 246, 254])]
)
def test_shards_have_about_the_same_number_of_organizations(total: int, sizes: list[int]) -> None:
    """Computed by the same program."""
    found = Counter(shard_of(name, total=total) for name in NAMES)
    assert [found[ordinal] for ordinal in range(total)] == sizes


@pytest.mark.parametrize("total", range(1, 20))
def test_one_more_shard_moves_its_part_and_nothing_between_the_others(total: int) -> None:
    before = {name: shard_of(name, total=total) for name in NAMES}
    after = {name: shard_of(name, total=total + 1) for name in NAMES}
    moved = {name for name in NAMES if before[name] != after[name]}
    assert {after[name] for name in moved} == {total}
    share = 1 / (total + 1)
    deviation = (len(NAMES) * share * (1 - share)) ** 0.5
    assert abs(len(moved) - len(NAMES) * share) < 4 * deviation


def test_each_organization_belongs_to_exactly_one_shard() -> None:
    for total in (1, 2, 3, 7):
        shards = [Shard(ordinal, total) for ordinal in range(total)]
        assert {sum(shard.has(name) for shard in shards) for name in NAMES} == {1}


def test_a_rolling_change_of_the_total_leaves_no_organization_out() -> None:
    """Every mix of the two totals covers all, as long as each number up to the higher one runs."""
    for lower, higher in pairwise((2, 3, 5)):
        for totals in product((lower, higher), repeat=lower):
            running = [Shard(ordinal, total) for ordinal, total in enumerate(totals)]
            running += [Shard(ordinal, higher) for ordinal in range(lower, higher)]
            assert all(any(shard.has(name) for shard in running) for name in NAMES)
