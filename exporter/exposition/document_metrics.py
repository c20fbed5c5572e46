"""Writes ``docs/metrics.md`` from the catalogue: ``make docs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.exposition.catalogue import Metric, Section


def document() -> str:
    """Return the page."""
    return "\n".join(
        [
            "# Metrics",
            "",
            "Written by `make docs` from the catalogue in `exporter/exposition/catalogue.py`.",
            *(line for section in CATALOGUE for line in _section(section)),
            "",
        ]
    )


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## {section.title}", "", section.about)
    for metric in section.metrics:
        yield from _metric(metric)


def _metric(metric: Metric) -> Iterator[str]:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    yield from ("", f"### `{metric.name}`", "", metric.help, "")
    yield f"Type: {metric.type}. Labels: {labels}."


if __name__ == "__main__":
    print(document(), end="")
