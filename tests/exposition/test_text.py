from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics

from exporter.exposition import text
from exporter.exposition.catalogue import Metric

METRIC = Metric("a_metric", "gauge", "A help\\text.", ("organization", "owner_id", "kind"))
LABEL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SAMPLES = st.lists(st.tuples(st.tuples(LABEL, LABEL, LABEL), st.floats()), min_size=1)


class _Collector:
    def __init__(self, samples: list[tuple[tuple[str, ...], float]]) -> None:
        self._samples = samples

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(METRIC.name, METRIC.help, labels=METRIC.labels)
        for labels, value in self._samples:
            family.add_metric(labels, value)
        return [family]


@given(SAMPLES)
def test_every_byte_is_the_client_librarys_in_both_formats(
    samples: list[tuple[tuple[str, ...], float]],
) -> None:
    registry = CollectorRegistry()
    registry.register(_Collector(samples))
    ours = (text.header(METRIC) + text.lines(METRIC, samples)).encode()
    assert ours == generate_latest(registry)
    assert ours + b"# EOF\n" == openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]


def test_a_line_by_hand() -> None:
    lines = text.lines(METRIC, [(('a"b', "c\\d", "e\nf"), 1_790_000_000.5)])
    assert (
        lines == 'a_metric{kind="e\\nf",organization="a\\"b",owner_id="c\\\\d"} 1.7900000005e+09\n'
    )


def test_a_metric_without_labels_has_no_braces() -> None:
    assert text.lines(Metric("m", "gauge", "Help."), [((), 3)]) == "m 3.0\n"


@pytest.mark.parametrize("hostile", ["\0", "a\0b", '\0"\0'])
def test_nul_which_prometheus_cannot_read_is_replaced(hostile: str) -> None:
    assert "\0" not in text.escape(hostile)
    assert "\N{REPLACEMENT CHARACTER}" in text.escape(hostile)
