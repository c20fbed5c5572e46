from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.inventory import plausible_creation, plausible_expiry
from exporter.inventory.timestamps import timestamp_of

NOW = 1_790_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("2022-03-23T06:16:59.5Z", 1_648_016_219.5),
        ("2025-11-03T08:12:44.90821Z", 1_762_157_564.90821),
        ("2025-11-03T08:12:44.908210Z", 1_762_157_564.90821),
        ("2025-11-03T08:12:44.908210123Z", 1_762_157_564.90821),
        ("2026-09-01T00:00:00+00:00", 1_788_220_800),
        ("2006-01-02T15:04:05-07:00", 1_136_239_445),
        ("2006-01-02 15:04:05-07:00", 1_136_239_445),
        ("2006-01-02T15:04:05", 1_136_214_245),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ],
)
def test_timestamps_in_every_notation(text: str, expected: float) -> None:
    assert timestamp_of(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [None, "", "soon", 1_790_000_000, 1.5, True, {}, [], "2026-13-01T00:00:00Z",
     "2026-02-30T00:00:00Z", "20260101", "0000-01-01T00:00:00Z", "2026-01-01T25:00:00Z",
     "9" * 5000],
)  # fmt: skip
def test_invalid_timestamps(text: object) -> None:
    assert timestamp_of(text) is None


@given(st.one_of(st.text(), st.floats(), st.integers()))
def test_no_value_raises(text: object) -> None:
    assert isinstance(timestamp_of(text), float | None)


@pytest.mark.parametrize(
    ("created_at", "believed"),
    [
        (None, False),
        (NOW, True),
        (NOW - 1000 * DAY, True),
        (NOW + 300, True),  # clocks differ
        (NOW + 301, False),
        (0.0, False),
        (-62_135_596_800.0, False),  # Go's zero
        (253_402_300_799.0, False),
    ],
)
def test_plausible_creation_times(created_at: float | None, *, believed: bool) -> None:
    assert plausible_creation(created_at, now=NOW) == (created_at if believed else None)


@pytest.mark.parametrize(
    ("expires_at", "believed"),
    [
        (None, False),
        (NOW - 5, True),
        (NOW + 5, True),
        (NOW + 36_499 * DAY, True),
        (253_402_300_799.0, False),
        (-62_135_596_800.0, False),
    ],
)
def test_plausible_expiries(expires_at: float | None, *, believed: bool) -> None:
    assert plausible_expiry(expires_at, now=NOW) == (expires_at if believed else None)
