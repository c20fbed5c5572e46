"""The token bucket, with the semantics of golang.org/x/time/rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.rate_limit import TokenBucket


def test_a_burst_and_then_one_request_each_interval() -> None:
    bucket = TokenBucket(interval=2, burst=3, now=100)
    assert [bucket.take(100) for _ in range(4)] == [0, 0, 0, 2]
    assert bucket.take(101) == 1
    assert bucket.take(102) == 0
    assert bucket.take(102) == 2


def test_unused_tokens_are_kept_up_to_the_burst() -> None:
    bucket = TokenBucket(interval=1, burst=2, now=0)
    assert [bucket.take(1000) for _ in range(3)] == [0, 0, 1]
    assert [bucket.take(1001.5), bucket.take(1001.5)] == [0, 0.5]
    assert bucket.take(1002) == 0


def test_refused_requests_take_nothing() -> None:
    bucket = TokenBucket(interval=1, burst=1, now=0)
    assert bucket.take(0) == 0
    for tenth in range(1, 10):
        assert bucket.take(tenth / 10) == pytest.approx(1 - tenth / 10)
    assert bucket.take(1) == 0


def test_a_burst_of_zero_refuses_everything() -> None:
    bucket = TokenBucket(interval=1, burst=0, now=0)
    assert bucket.take(0) > 0
    assert bucket.take(1000) > 0


@given(
    interval=st.integers(1, 5),
    burst=st.integers(1, 5),
    waits=st.lists(st.integers(0, 7), max_size=50),
)
def test_no_period_has_more_requests_than_its_length_and_the_burst_allow(
    interval: int, burst: int, waits: list[int]
) -> None:
    bucket = TokenBucket(interval=interval, burst=burst, now=0)
    now, taken = 0, []
    for wait in waits:
        now += wait
        if bucket.take(now) == 0:
            taken.append(now)
    for first, began in enumerate(taken):
        for last, ended in enumerate(taken[first:], first):
            assert last - first + 1 <= burst + (ended - began) / interval + 1e-6


@given(interval=st.floats(0.001, 3600), burst=st.integers(1, 5), start=st.floats(0, 1e6))
def test_the_named_wait_suffices(interval: float, burst: int, start: float) -> None:
    bucket = TokenBucket(interval=interval, burst=burst, now=start)
    for _ in range(burst):
        assert bucket.take(start) == 0
    wait = bucket.take(start)
    assert wait == pytest.approx(interval)
    assert bucket.take(start + wait + 1e-6) == 0
