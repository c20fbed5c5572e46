"""State to lines: what collectors render, once per refresh and off the event loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exporter.exposition import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from exporter.exposition.catalogue import Metric
    from exporter.inventory import Histogram
    from exporter.refresh import OrganizationState

    Samples: TypeAlias = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True)
class Part:
    """Lines that expire together."""

    lines: Mapping[str, str | None]
    """By metric name, or by key of :func:`~exporter.exposition.text.families` for a gauge
    histogram. None stands for the same lines as before."""
    fresh_until: float = float("inf")
    """Monotonic seconds; from then on the lines are too old to be served."""


class Renderer(Protocol):
    """What the exposition needs of a collector."""

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """Return the lines of ``state``.

        ``before``: the state that was rendered last, None if there was none.
        """


def part(samples: Iterable[tuple[Metric, Samples]], *, fresh_until: float = float("inf")) -> Part:
    """Return the part with the lines of ``samples``."""
    return Part({metric.name: text.lines(metric, each) for metric, each in samples}, fresh_until)


def optional(labels: tuple[str, ...], value: float | None) -> Samples:
    """Return one sample, none if ``value`` is None."""
    return [] if value is None else [(labels, value)]


def histogram_lines(
    metric: Metric, organization: str, histograms: Mapping[str, Histogram]
) -> dict[str, str]:
    """Return the lines of a gauge histogram by the key of :func:`text.families`, in all formats.

    ``histograms``: by the value of its second label; the first one is ``organization``.
    """
    whole = ""
    families = dict.fromkeys(("_bucket", "_gcount", "_gsum"), "")
    for label, histogram in histograms.items():
        labels = (organization, label)
        bounds = zip(
            (*map(text.number, histogram.bounds), "+Inf"),
            (*histogram.buckets, histogram.count),
            strict=True,
        )
        buckets = text.lines(
            metric, (((*labels, le), count) for le, count in bounds), suffix="_bucket", label="le"
        )
        families["_bucket"] += buckets
        whole += buckets
        for suffix, value in (("count", histogram.count), ("sum", histogram.sum)):
            whole += text.lines(metric, [(labels, value)], suffix=f"_{suffix}")
            families[f"_g{suffix}"] += text.lines(metric, [(labels, value)], suffix=f"_g{suffix}")
    return {metric.name: whole} | {metric.name + key: lines for key, lines in families.items()}
