from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics

from exporter.exposition import text
from exporter.exposition.catalogue import Metric, MetricType

METRIC = Metric("a_metric", "gauge", "A help\\text.", ("organization", "owner_id", "kind"))
LABEL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SAMPLES = st.lists(st.tuples(st.tuples(LABEL, LABEL, LABEL), st.floats()), min_size=1)


SUFFIXES = {"counter": "_total", "info": "_info"}


def registry_of(family: Family) -> CollectorRegistry:
    class Collector:
        def collect(self) -> list[Family]:
            return [family]

    registry = CollectorRegistry()
    registry.register(Collector())
    return registry


@given(
    samples=SAMPLES,
    kind=st.sampled_from(["gauge", "counter", "info"]),
    unit=st.sampled_from(["", "seconds", "bytes", "ratio"]),
)
def test_the_output_equals_that_of_the_client_library_in_both_formats(
    samples: list[tuple[tuple[str, ...], float]], kind: MetricType, unit: str
) -> None:
    if kind == "info":
        unit = ""  # the library refuses one
    family = Family("a_metric", METRIC.help, kind, unit)
    name = family.name + SUFFIXES.get(kind, "")
    for labels, value in samples:
        family.add_sample(name, dict(zip(METRIC.labels, labels, strict=True)), value)
    registry = registry_of(family)
    metric = Metric(name, kind, METRIC.help, METRIC.labels)
    ours = {form: text.header(metric, form) + text.lines(metric, samples) for form in text.Format}
    assert ours[text.Format.TEXT].encode() == generate_latest(registry)
    theirs: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    assert ours[text.Format.OPENMETRICS].encode() + b"# EOF\n" == theirs


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), st.floats(0, 1e12))
def test_histograms_equal_those_of_the_client_library(counts: list[int], total: float) -> None:
    les = [*map(text.number, [0.05, 86_400.0, 63_072_000.0]), "+Inf"]
    cumulative = [counts[0], counts[0] + counts[1], sum(counts), sum(counts)]
    family = HistogramMetricFamily("h", "Help.", labels=["z"])
    family.add_metric(["x"], list(zip(les, cumulative, strict=True)), total)
    metric = Metric("h", "histogram", "Help.", ("z",))
    samples = [(("x", le), float(count)) for le, count in zip(les, cumulative, strict=True)]
    ours = (
        text.header(metric, text.Format.TEXT)
        + text.lines(metric, samples, suffix="_bucket", label="le")
        + text.lines(metric, [(("x",), cumulative[-1])], suffix="_count")
        + text.lines(metric, [(("x",), total)], suffix="_sum")
    )
    assert ours.encode() == generate_latest(registry_of(family))


def test_a_line_has_sorted_labels_and_escaped_values() -> None:
    lines = text.lines(METRIC, [(('a"b', "c\\d", "e\nf"), 1_790_000_000.5)])
    assert (
        lines == 'a_metric{kind="e\\nf",organization="a\\"b",owner_id="c\\\\d"} 1.7900000005e+09\n'
    )


def test_a_metric_without_labels_has_no_braces() -> None:
    assert text.lines(Metric("m", "gauge", "Help."), [((), 3)]) == "m 3.0\n"


@pytest.mark.parametrize("hostile", ["\0", "a\0b", '\0"\0'])
def test_nul_characters_are_replaced(hostile: str) -> None:
    assert "\0" not in text.escape(hostile)
    assert "\N{REPLACEMENT CHARACTER}" in text.escape(hostile)


@given(first=LABEL, samples=st.lists(st.tuples(LABEL, LABEL, st.floats())))
def test_a_filled_template_equals_the_lines(
    first: str, samples: list[tuple[str, str, float]]
) -> None:
    template = text.template(METRIC, tuple((owner, kind) for owner, kind, _ in samples))
    filled = [part for _, _, value in samples for part in (text.escape(first), text.number(value))]
    lines = text.lines(METRIC, [((first, owner, kind), value) for owner, kind, value in samples])
    assert template % tuple(filled) == lines


def test_a_template_takes_a_percent_sign_in_a_label_as_text() -> None:
    template = text.template(METRIC, (("100%s", "%"),), suffix="_count", label="")
    line = 'a_metric_count{kind="%",organization="a%",owner_id="100%s"} 2.0\n'
    assert template % ("a%", "2.0") == line
