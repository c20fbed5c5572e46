"""Samples to lines, in the text format 0.0.4 and in OpenMetrics 1.0.0.

Prometheus' client library renders a whole registry at a time. Here the lines of one organization
are made once per refresh and then only copied, so they have to exist apart. Both formats write the
samples of a gauge alike and differ in the header. A test compares every byte with the library's.
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


_number: Callable[[float], str] = floatToGoString
_SPECIAL = re.compile(r'[\\\n"\0]')
_ESCAPES = {"\\": r"\\", "\n": r"\n", '"': r"\"", "\0": "\N{REPLACEMENT CHARACTER}"}


def header(metric: Metric) -> str:
    """Return the HELP and TYPE lines of the gauge ``metric``; the formats agree on them."""
    help_text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {metric.name} {help_text}\n# TYPE {metric.name} {metric.type}\n"


def lines(metric: Metric, samples: Iterable[tuple[Sequence[str], float]]) -> str:
    """Return a line for each of ``samples``: the values of ``metric.labels`` in order, the value.

    Labels are sorted by name, as the client library does. NUL, which no parser of Prometheus takes,
    becomes the replacement character.
    """
    order = sorted(range(len(metric.labels)), key=metric.labels.__getitem__)
    labels = ",".join(f'{metric.labels[index]}="{{{index}}}"' for index in order)
    line = f"{metric.name}{{{{{labels}}}}}" if labels else metric.name
    template = (line + " {value}\n").format
    return "".join(
        template(*map(escape, values), value=_number(value)) for values, value in samples
    )


def escape(value: str) -> str:
    """Return ``value`` as it stands between the quotes of a label."""
    if _SPECIAL.search(value) is None:
        return value
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], value)
