"""Samples to lines, in the text format 0.0.4 and in OpenMetrics 1.0.0.

Prometheus' client library renders a whole registry at a time. Here the lines of one organization
are made once per refresh and then only copied, so they have to exist apart. Both formats write
samples alike and differ in the headers. A test compares every byte with the library's.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.exposition.catalogue import Metric


class Format(Enum):
    """The formats spoken; the value is the content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


number: Callable[[float], str] = floatToGoString
"""As Go and the client library write it."""
_SPECIAL = re.compile(r'[\\\n"\0]')
_ESCAPES = {"\\": r"\\", "\n": r"\n", '"': r"\"", "\0": "\N{REPLACEMENT CHARACTER}"}


_UNITS = ("seconds", "bytes", "ratio")


def families(metric: Metric, form: Format) -> dict[str, str]:
    """Return the headers of the families that ``metric`` has in ``form``, by the key of each.

    A gauge histogram has a different shape in each format. OpenTelemetry's receiver does not
    support OpenMetrics' type for it, and Prometheus may convert a histogram to a native one, so its
    buckets, count and sum are gauges there. In the older format, only a histogram may have the
    label ``le``, and Go's parser reads one without a count and a sum as empty. There it is a
    complete histogram, with its count and sum also as gauges of the same names.
    """
    name = metric.name
    if metric.type != "gaugehistogram":
        return {name: header(metric, form)}
    gauges = {f"{name}{part}": "gauge" for part in ("_bucket", "_gcount", "_gsum")}
    if form is Format.TEXT:
        del gauges[f"{name}_bucket"]
        gauges = {name: "histogram"} | gauges
    return {key: _header_lines(key, kind, metric.help) for key, kind in gauges.items()}


def header(metric: Metric, form: Format) -> str:
    """Return the HELP and TYPE lines of ``metric``, which is not a gauge histogram, and its UNIT.

    The older format has no units.
    """
    name, kind = metric.name, metric.type
    if form is Format.TEXT:
        return _header_lines(name, "gauge" if kind == "info" else kind, metric.help)
    if kind in {"counter", "info"}:
        name = name.removesuffix("_total").removesuffix("_info")
    unit = unit_of(name)
    lines_ = _header_lines(name, kind, metric.help)
    return lines_ + (f"# UNIT {name} {unit}\n" if unit else "")


def unit_of(family: str) -> str:
    """Return the base unit that the name of ``family`` ends with, empty if it has none."""
    last = family.rpartition("_")[2]
    return last if last in _UNITS else ""


def _header_lines(name: str, kind: str, help_text: str) -> str:
    """Return the HELP and TYPE lines of a family; ``help_text`` has no double quotes."""
    escaped = help_text.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {escaped}\n# TYPE {name} {kind}\n"


def lines(
    metric: Metric,
    samples: Iterable[tuple[Sequence[str], float]],
    *,
    suffix: str = "",
    label: str = "",
) -> str:
    """Return a line for each of ``samples``: the values of ``metric.labels`` in order, the value.

    ``suffix`` is put behind the name; ``label`` is one more label, whose value comes last. Labels
    are sorted by name, as the client library does. NUL, which no parser of Prometheus takes,
    becomes the replacement character.
    """
    names = (*metric.labels, label) if label else metric.labels
    order = sorted(range(len(names)), key=names.__getitem__)
    labels = ",".join(f'{names[index]}="{{{index}}}"' for index in order)
    name = metric.name + suffix
    template = (f"{name}{{{{{labels}}}}} {{value}}\n" if labels else f"{name} {{value}}\n").format
    return "".join(template(*map(escape, values), value=number(value)) for values, value in samples)


def escape(value: str) -> str:
    """Return ``value`` as it stands between the quotes of a label."""
    if _SPECIAL.search(value) is None:
        return value
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], value)
