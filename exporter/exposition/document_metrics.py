"""Writes ``docs/metrics.md`` from the catalogue: ``make docs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.exposition.catalogue import Metric, MetricGroup


_FORMATS = """\
## Formats

A scrape gets OpenMetrics 1.0.0 if it asks for it, as Prometheus and OpenTelemetry do, and the text
format 0.0.4 otherwise. `once` writes 0.0.4, which the textfile collector reads.

A metric `X` of the type *gauge histogram* has a different shape in each format, because no single
shape is read correctly everywhere:

- OpenMetrics 1.0.0 has three gauges: `X_bucket` with the label `le`, `X_gcount` and `X_gsum`.
  OpenTelemetry's Prometheus receiver does not support the type `gaugehistogram`.
- The text format 0.0.4 has a histogram: `X_bucket`, `X_count` and `X_sum`. Two gauges, `X_gcount`
  and `X_gsum`, repeat its count and sum.

Query `X_bucket`, `X_gcount` and `X_gsum`, which exist in both formats. They count the keys that
exist now and can fall, so `rate` and `increase` are meaningless on them.

In OpenMetrics, a family whose name ends in `_seconds`, `_bytes` or `_ratio` has that unit in its
metadata. Families of counters and infos are named without `_total` and `_info` there."""


def document() -> str:
    """Return the page."""
    return "\n".join(
        [
            "# Metrics",
            "",
            "Written by `make docs` from the catalogue in `exporter/exposition/catalogue.py`.",
            "",
            _FORMATS,
            *(line for group in CATALOGUE for line in _group(group)),
            "",
        ]
    )


def _group(group: MetricGroup) -> Iterator[str]:
    yield from ("", f"## {group.title}", "", group.about)
    for metric in group.metrics:
        yield from _metric(metric)


def _metric(metric: Metric) -> Iterator[str]:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    yield from ("", f"### `{metric.name}`", "", metric.help, "")
    kind = "gauge histogram" if metric.type == "gaugehistogram" else metric.type
    yield f"Type: {kind}. Labels: {labels}."


if __name__ == "__main__":
    print(document(), end="")
