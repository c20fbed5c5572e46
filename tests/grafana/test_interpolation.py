"""Interpolation of queries, compared with Grafana's own code and tests."""

from __future__ import annotations

import pytest

from tests.grafana.interpolation import (
    ALL,
    Option,
    Pace,
    chosen,
    interpolate,
    options_of,
    pace_of,
    result_as_text,
    rounded,
    seconds_of,
)

MULTI = {"multi": True, "includeAll": True, "allValue": ".+"}
PLAIN = {"multi": False, "includeAll": False}
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


def test_three_spellings_of_a_variable_are_replaced() -> None:
    values = {"a": "1", "__range": "6s", "__range_s": "6"}
    assert interpolate("$a ${a} [[a]] [$__range] $__range_s", values) == "1 1 1 [6s] 6"


def test_a_regex_replacement_is_not_a_variable() -> None:
    assert interpolate('label_replace(x, "a", "$1", "b", "(.*)$")', {}) == (
        'label_replace(x, "a", "$1", "b", "(.*)$")'
    )


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(LookupError):
        interpolate('up{job="$jobs"}', {"job": "a"})


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("acme", "acme"),
        (["acme"], "acme"),
        (["acme", "globex"], "(acme|globex)"),
        ("exporter:10049", "exporter:10049"),
        ("10.0.0.1:80", r"10\\.0\\.0\\.1:80"),
        (["a(b)", "c|d"], r"(a\\(b\\)|c\\|d)"),
        (r"back\slash", r"back\\\\slash"),
        (ALL, ".+"),
    ],
)
def test_a_multi_value_variable_becomes_a_regular_expression(
    selection: str | list[str], expected: str
) -> None:
    assert chosen(MULTI, selection, options=["unused"]) == expected


def test_all_without_a_custom_value_lists_all_values() -> None:
    assert chosen({**MULTI, "allValue": None}, ALL, options=["a.b", "c"]) == r"(a\\.b|c)"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a.b", "a.b"), ("looking'glass", r"looking\\'glass"), (r"a\b", r"a\\b")],
)
def test_a_single_value_is_not_escaped_as_a_regular_expression(value: str, expected: str) -> None:
    assert chosen(PLAIN, value, options=[]) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, 1),
        (12.86, 15),
        (21.6, 20),
        (89, 60),
        (103, 120),
        (360, 300),
        (605, 600),
        (4.4 * HOUR, 3 * HOUR),
        (4.5 * HOUR, 6 * HOUR),
        (23 * HOUR, 12 * HOUR),
        (6 * DAY, DAY),
        (8 * DAY, 7 * DAY),
    ],
)
def test_intervals_are_round(seconds: float, expected: float) -> None:
    assert rounded(seconds) == expected


@pytest.mark.parametrize(
    ("span", "panel", "target", "expected"),
    [
        # 21.6 s per point, less than the scrape interval.
        (6 * HOUR, "", "", Pace(step=60, rate_interval=240)),
        # 604.8 s per point, more than the scrape interval.
        (7 * DAY, "", "", Pace(step=600, rate_interval=660)),
        (7 * DAY, "1h", "", Pace(step=3600, rate_interval=3660)),
        # The "Min step" of a query overrides the scrape interval of the data source.
        (6 * HOUR, "", "5m", Pace(step=300, rate_interval=1200)),
        (7 * DAY, "", "5m", Pace(step=600, rate_interval=1200)),
    ],
)
def test_the_step_follows_from_range_width_and_scrape_interval(
    span: float, panel: str, target: str, expected: Pace
) -> None:
    found = pace_of(span, points=1000, scrape_interval=MINUTE, panel=panel, target=target)
    assert found == expected


def test_the_built_in_variables() -> None:
    assert Pace(step=300, rate_interval=1200).variables(6 * HOUR) == {
        "__interval": "300s",
        "__interval_ms": "300000",
        "__rate_interval": "1200s",
        "__rate_interval_ms": "1200000",
        "__range": "21600s",
        "__range_ms": "21600000",
        "__range_s": "21600",
    }


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), (">1m", 60), ("2h", 7200), ("1d", DAY)])
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_a_result_is_a_line_of_text() -> None:
    series = {"metric": {"__name__": "up", "a": 'x "y"', "b": "z"}, "value": [1.5, "1"]}
    assert result_as_text(series) == 'up{a="x "y"",b="z"} 1 1500'


LINES = ['{id="e-1",name="prod "eu""} 1 0', '{id="e-2",name="dev"} 1 0', '{id="e-1",name="x"} 1 0']


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        ("", [Option(line, line) for line in LINES]),
        # The first of two options with the same value is used.
        (
            '/id="(?<value>[^"]+)",name="(?<text>.+)"}/',
            [Option("e-1", 'prod "eu"'), Option("e-2", "dev")],
        ),
        ('/id="(?<value>[^"]+)"/', [Option("e-1", "e-1"), Option("e-2", "e-2")]),
        ('/name="([^"]+)/', [Option("prod ", "prod "), Option("dev", "dev"), Option("x", "x")]),
        ("/E-2/i", [Option(LINES[1], LINES[1])]),
        ("e-2", []),
        ('.*id="(e-2)".*', [Option("e-2", "e-2")]),
    ],
)
def test_a_regex_turns_lines_into_options(regex: str, expected: list[Option]) -> None:
    assert options_of(LINES, regex) == expected
