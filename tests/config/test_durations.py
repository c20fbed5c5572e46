from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.durations import PATTERN, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1ms", 0.001),
        ("250ms", 0.25),
        ("30s", 30),
        ("5m", 300),
        ("90s", 90),
        ("1h30m", 5_400),
        ("1d", 86_400),
        ("90d", 7_776_000),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("1y1w1d1h1m1s1ms", 31_536_000 + 604_800 + 86_400 + 3_600 + 60 + 1.001),
        ("0s", 0),
        ("007s", 7),
        ("100y", 3_153_600_000),
    ],
)
def test_reads_durations_of_prometheus(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "5",
        "m",
        "5 m",
        " 5m",
        "5m\n",
        "-5m",
        "+5m",
        "1.5h",
        "5M",
        "30m1h",
        "1h1h",
        "5min",
        "1h 30m",
        "٣s",
        "1s1m",
        "1ms1s",
        "5mm",
        "9" * 16 + "s",
    ],
)
def test_rejects_other_notations(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^is not a valid duration; expected whole numbers with units"
    ):
        parse_duration(text)


def test_rejects_durations_above_a_hundred_years() -> None:
    with pytest.raises(ValueError, match=r"^is too long; expected at most `100y`$"):
        parse_duration("100y1ms")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.25, "250ms"),
        (300.0, "5m"),
        (5_400.0, "1h30m"),
        (7_776_000.0, "90d"),
        (1_209_600.0, "2w"),
        (31_536_000.0, "1y"),
        (90_061.5, "1d1h1m1s500ms"),
    ],
)
def test_formats_durations_as_users_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=100 * 365 * 86_400 * 1_000))
def test_parses_what_it_formats(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.from_regex("([0-9]{0,3}(ms|[smhdwyx ])){0,4}", fullmatch=True))
def test_the_pattern_for_editors_accepts_exactly_the_valid_durations(text: str) -> None:
    try:
        parse_duration(text)
    except ValueError as error:
        read = "too long" in str(error)  # the one thing that a pattern cannot say
    else:
        read = True
    assert read == bool(re.search(PATTERN, text))
