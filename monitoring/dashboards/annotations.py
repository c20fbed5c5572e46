"""Events that are drawn over the graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import DATASOURCE
from monitoring.dashboards.queries import INTERVAL, ORGANIZATION, growth, of_exporters, outside
from monitoring.dashboards.sdk import dashboard, prometheus

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEP = "5m"


def events() -> Sequence[dashboard.AnnotationQuery]:
    """Return the events of both dashboards.

    Those about keys are off until somebody wants them: where keys come and go all day they would
    cover the graphs.
    """
    created, deleted = (
        f"sum by (organization) ({growth(metric, INTERVAL, filters=ORGANIZATION)}) > 0"
        for metric in (catalogue.API_KEYS_CREATED, catalogue.API_KEYS_DELETED)
    )
    started = outside("process_start_time_seconds")
    # Each start once, at the first step that knows of it; it may be scraped in the step after its
    # own. An exporter that only could not be scraped for a while has not started.
    lately = f"{started} > time() - 2 * $__interval_ms / 1000"
    known = f"{started} == last_over_time({started}[$__interval] offset $__interval)"
    starts = of_exporters(f"({lately} unless {known})")
    return [
        _event("Keys created", created, "green", text="{{organization}}", enabled=False),
        _event("Keys deleted", deleted, "orange", text="{{organization}}", enabled=False),
        _event(
            "Exporter starts",
            starts,
            "purple",
            text="{{instance}} of {{job}}",
            enabled=True,
        ),
    ]


def _event(
    name: str, expression: str, color: str, *, text: str, enabled: bool
) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(enabled)
        .icon_color(color)
        # Some versions of Grafana read the expression here, others that of the target.
        .expr(expression)
        .step(_STEP)
        .target(
            prometheus.Dataquery()
            .ref_id("Anno")
            .datasource(DATASOURCE)
            .expr(expression)
            .interval(_STEP)
            .range()
        )
        .title_format(name)
        .text_format(text)
    )
