"""Annotations: events that Grafana draws over the graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import DATASOURCE
from monitoring.dashboards.queries import INTERVAL, ORGANIZATION, increase, of_exporters, series
from monitoring.dashboards.sdk import dashboard, prometheus

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEP = "5m"


def event_annotations() -> Sequence[dashboard.AnnotationQuery]:
    """Return the annotations of both dashboards.

    Created and deleted keys are off by default. Frequent changes would cover the graphs.
    """
    created, deleted = (
        f"sum by (organization) ({increase(metric, INTERVAL, filters=ORGANIZATION)}) > 0"
        for metric in (catalogue.API_KEYS_CREATED, catalogue.API_KEYS_DELETED)
    )
    started = series("process_start_time_seconds")
    # Each start is drawn once, at the first step with its series. That may be the step after the
    # start. An exporter that could not be scraped for a while has not started.
    lately = f"{started} > time() - 2 * $__interval_ms / 1000"
    known = f"{started} == last_over_time({started}[$__interval] offset $__interval)"
    starts = of_exporters(f"({lately} unless {known})")
    return [
        _annotation("Keys created", created, "green", text="{{organization}}", enabled=False),
        _annotation("Keys deleted", deleted, "orange", text="{{organization}}", enabled=False),
        _annotation(
            "Exporter starts", starts, "purple", text="{{instance}} of {{job}}", enabled=True
        ),
    ]


def _annotation(
    name: str, expression: str, color: str, *, text: str, enabled: bool
) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(enabled)
        .icon_color(color)
        # Some versions of Grafana read this expression, others that of the target.
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
