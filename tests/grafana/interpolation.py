"""How Grafana interpolates a query before it sends it to Prometheus.

After Grafana's own code: ``escaping.ts`` and ``metric_find_query.ts`` of its package
grafana-prometheus, ``rangeutil.ts`` of grafana-data, and ``pkg/promlib/models/query.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ALL = "$__all"
"""The selection "All"."""

_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+)\]\]|\$\{(\w+)\}")
_REGEX_CHARACTERS = re.compile(r"[$^*{}\[\]+?.()|]")
_JS_REGEX = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)
_DURATION = re.compile(r">?(\d+)(ms|[smhdw])")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_MOST_POINTS = 11_000  # per series; Prometheus refuses more
_DAY = 86_400.0
_ROUND = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 6, 12)),
    *(_DAY, 7 * _DAY),
)
"""The intervals that Grafana uses, in seconds."""


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each ``$name``, ``${name}`` and ``[[name]]`` replaced.

    Keeps the ``$1`` of a regex replacement. Raises ``LookupError`` for any other name without a
    value, which Grafana would send unchanged.
    """

    def value(match: re.Match[str]) -> str:
        name = next(group for group in match.groups() if group)
        if name.isdecimal():
            return match[0]
        return values[name]

    return _VARIABLE.sub(value, text)


def chosen(
    variable: Mapping[str, Any], selection: str | Sequence[str], *, options: Sequence[str]
) -> str:
    """Return the text of ``variable`` in a query for a ``selection``.

    ``options``: all of its values, for "All" without a custom value.
    """
    if selection == ALL:
        if variable.get("allValue"):
            return str(variable["allValue"])
        selection = options
    values = [selection] if isinstance(selection, str) else list(selection)
    if not variable.get("multi") and not variable.get("includeAll"):
        (value,) = values
        return value.replace("\\", "\\\\").replace("'", "\\\\'")
    escaped = [_escaped(value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _escaped(value: str) -> str:
    """Return ``value`` as a regular expression between the quotes of PromQL."""
    return _REGEX_CHARACTERS.sub(r"\\\\\g<0>", value.replace("\\", "\\" * 4))


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration such as ``1m``, as in the minimum interval of panels."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a Grafana duration")
    return int(match[1]) * _UNITS[match[2]]


def rounded(seconds: float) -> float:
    """Return the nearest round interval; from a day on, the next lower one."""
    for lower, upper in pairwise(_ROUND):
        limit = upper if upper >= _DAY else (lower + upper) / 2
        if seconds < limit:
            return lower
    return _ROUND[-1]


@dataclass(frozen=True)
class Pace:
    """Step and intervals of a query, in seconds."""

    step: float
    rate_interval: float

    def variables(self, span: float) -> dict[str, str]:
        """Return the built-in variables of Grafana for a time range of ``span`` seconds."""
        found: dict[str, str] = {}
        for name, seconds in (
            ("__interval", self.step),
            ("__rate_interval", self.rate_interval),
            ("__range", round(span)),
        ):
            found |= {name: f"{seconds:.0f}s", f"{name}_ms": f"{seconds * 1000:.0f}"}
        return found | {"__range_s": f"{span:.0f}"}


def pace_of(
    span: float, *, points: int, scrape_interval: float, panel: str = "", target: str = ""
) -> Pace:
    """Return the pace of a query over ``span`` seconds on a panel of ``points`` pixels.

    ``scrape_interval`` is the data source's; ``panel`` and ``target`` are the "Min interval" and
    the "Min step" of the panel and of the query, empty where there is none.
    """
    fitting = rounded(span / points)
    interval = max(fitting, seconds_of(panel) if panel else scrape_interval)
    step = max(fitting, seconds_of(target) if target else interval, span / _MOST_POINTS)
    scrape = seconds_of(target) if target else scrape_interval
    return Pace(step, rate_interval=max(interval + scrape, 4 * scrape))


@dataclass(frozen=True)
class Option:
    """One option of a variable."""

    value: str
    text: str


def result_as_text(series: Mapping[str, Any]) -> str:
    """Return one element of an instant vector as ``query_result()`` passes it to the regex."""
    labels = ",".join(f'{k}="{v}"' for k, v in series["metric"].items() if k != "__name__")
    at, value = series["value"]
    return f"{series['metric'].get('__name__', '')}{{{labels}}} {value} {at * 1000:.0f}"


def options_of(texts: Iterable[str], regex: str) -> list[Option]:
    """Return the options that the ``regex`` of a variable extracts from ``texts``."""
    options: dict[str, Option] = {}
    for text in texts:
        for option in _options(text, regex):
            options.setdefault(option.value, option)
    return list(options.values())


def _options(text: str, regex: str) -> list[Option]:
    if not regex:
        return [Option(text, text)]
    match = _JS_REGEX.fullmatch(regex)
    body, flags = match.groups() if match else (f"^{regex}$", "")
    if flags.strip("gi"):
        raise ValueError(f"{flags} are flags that this does not know")
    pattern = re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", body), re.IGNORECASE if "i" in flags else 0)
    found = list(pattern.finditer(text))
    if "g" not in flags:
        found = found[:1]
    if not found:
        return []
    named = {
        name: value for each in reversed(found) for name, value in each.groupdict().items() if value
    }
    if named:
        value = named.get("value") or named["text"]
        return [Option(value, named.get("text") or value)]
    if pattern.groups == 0:
        return [Option(text, text)]
    return [Option(each[1], each[1]) for each in found]
