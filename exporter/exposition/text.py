"""Renders samples in the text format 0.0.4 and in OpenMetrics 1.0.0.

The Prometheus client library can only render a whole registry. Here the lines of one organization
are rendered once per refresh and then copied. The formats have the same sample lines and different
headers. A test compares the output with that of the library.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.exposition.catalogue import Metric


class Format(Enum):
    """The supported formats; the value is the content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


number: Callable[[float], str] = floatToGoString
"""Formats a number as Go and the client library do."""
_SPECIAL = re.compile(r'[\\\n"\0]')
_ESCAPES = {"\\": r"\\", "\n": r"\n", '"': r"\"", "\0": "\N{REPLACEMENT CHARACTER}"}


_UNITS = ("seconds", "bytes", "ratio")


def families(metric: Metric, form: Format) -> dict[str, str]:
    """Return the headers of the families of ``metric`` in ``form``, by family name.

    A gauge histogram has a different form in each format. In OpenMetrics, its buckets, count and
    sum are gauges: OpenTelemetry's receiver does not support the type ``gaugehistogram``, and
    Prometheus may convert a histogram to a native one. In the text format, only a histogram may
    have the label ``le``, and Go's parser reads one without count and sum as empty. There it is a
    complete histogram, and two gauges repeat its count and sum under the names of OpenMetrics.
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
    """Return the HELP, TYPE and UNIT lines of ``metric``, which is not a gauge histogram.

    The text format has no UNIT line.
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
    """Return the base unit at the end of the name of ``family``, or an empty string."""
    last = family.rpartition("_")[2]
    return last if last in _UNITS else ""


def _header_lines(name: str, kind: str, help_text: str) -> str:
    """Return the HELP and TYPE lines of a family; ``help_text`` contains no double quotes."""
    escaped = help_text.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {escaped}\n# TYPE {name} {kind}\n"


def lines(
    metric: Metric,
    samples: Iterable[tuple[Sequence[str], float]],
    *,
    suffix: str = "",
    label: str = "",
) -> str:
    """Return the lines of ``samples``: label values in the order of ``metric.labels``, and value.

    ``suffix`` is appended to the name. ``label`` is an additional label, whose value comes last.
    Labels are sorted by name, as in the client library. NUL, which Prometheus cannot parse, becomes
    the replacement character.
    """
    line = _line(metric, suffix, label)
    return "".join(line(*map(escape, values), value=number(value)) for values, value in samples)


@lru_cache(maxsize=256)
def template(
    metric: Metric, samples: tuple[tuple[str, ...], ...], *, suffix: str = "", label: str = ""
) -> str:
    """Return a template of :func:`lines` for the operator ``%``.

    ``samples``: the label values of each without the first. Of each sample, the template takes the
    first label value, escaped, and the value, formatted. It is kept for other organizations, since
    filling it takes a fraction of the time.
    """
    line = _line(metric, suffix, label)
    return "".join(
        line("%s", *(escape(each).replace("%", "%%") for each in values), value="%s")
        for values in samples
    )


def _line(metric: Metric, suffix: str, label: str) -> Callable[..., str]:
    """Return what formats a line from its label values and ``value``."""
    names = (*metric.labels, label) if label else metric.labels
    order = sorted(range(len(names)), key=names.__getitem__)
    labels = ",".join(f'{names[index]}="{{{index}}}"' for index in order)
    name = metric.name + suffix
    return (f"{name}{{{{{labels}}}}} {{value}}\n" if labels else f"{name} {{value}}\n").format


def escape(value: str) -> str:
    """Return ``value`` escaped for the quotes of a label."""
    if _SPECIAL.search(value) is None:
        return value
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], value)
