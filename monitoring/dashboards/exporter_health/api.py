"""The rate limit and the requests of the Confluent Cloud API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    GOOD,
    NEUTRAL,
    WARNING,
    Position,
    Query,
    colored_by_reason,
    colors_by_name,
    dashed,
    graph,
    shaded,
    with_limits,
)
from monitoring.dashboards.queries import (
    ORGANIZATION,
    RANGE,
    by,
    gauge,
    max_of_replicas,
    min_of_replicas,
    rate,
    selector,
)

if TYPE_CHECKING:
    from exporter.exposition.catalogue import Metric
    from monitoring.dashboards.panels import AnyPanel
    from monitoring.dashboards.sdk import timeseries

_BY_ENDPOINT = "{{organization}} {{endpoint}}"
_BY_ORGANIZATION = "{{organization}}"
_KEYS = 'endpoint="/iam/v2/api-keys"'
_INTERVAL = "5m"  # a refresh sends its requests at once; shorter steps would show spikes only
_ADDED = " Includes the requests of all selected exporters."


def recent_share_left() -> str:
    """Return the share of the rate limit that is left, by endpoint.

    Like the alert, it ignores responses older than ``stale_after``.
    """
    share = (
        f"{min_of_replicas(catalogue.RATE_LIMIT_REMAINING)} / ({gauge(catalogue.RATE_LIMIT)} > 0)"
    )
    age = f"time() - {gauge(catalogue.RATE_LIMIT_OBSERVED)}"
    stale_after = by(ORGANIZATION, gauge(catalogue.STALE_AFTER, 'collector="api_keys"'))
    return f"{share} and {age} < on (organization) group_left () {stale_after}"


def rate_limit() -> list[AnyPanel]:
    """Return the panels about the rate limit."""
    least_left = graph(
        Position(104, x=0, y=0, w=12, h=8),
        title="Rate limit left by organization",
        description="Requests left in the API's rate limit window, as a share of the limit. For"
        " each organization this is the endpoint with the smallest share, among those that"
        " answered within `stale_after`. All clients of the organization share the limit. Near"
        " the dashed lines, raise `refresh_interval` or `rate_limit.reserve`, or look for another"
        " client that sends too many requests.",
        unit="percentunit",
        no_value="no rate limit reported",
        queries=[Query(by(ORGANIZATION, recent_share_left(), "min"), _BY_ORGANIZATION)],
        reach=1,
        calcs=("lastNotNull", "min"),
    )
    limits = graph(
        Position(101, x=12, y=0, w=12, h=8),
        title="Requests left for key listings",
        description="Requests left in the API's rate limit window for listing keys, by"
        " organization, as of the latest response. The dashed line is the lowest limit of the"
        " selected organizations.",
        unit=COUNT,
        no_value="no rate limit reported",
        decimals=0,
        queries=[
            Query(
                by(ORGANIZATION, min_of_replicas(catalogue.RATE_LIMIT_REMAINING, _KEYS), "min"),
                _BY_ORGANIZATION,
            ),
            Query(f"min({gauge(catalogue.RATE_LIMIT, _KEYS)})", "limit", BAD),
        ],
        reach=1,
        calcs=("lastNotNull", "min"),
    )
    reset = graph(
        Position(102, x=0, y=8, w=12, h=7),
        title="Time to the rate limit reset",
        description="Seconds from the latest response to the end of the rate limit window for"
        " listing keys, by organization. Used requests become available again only then.",
        unit="s",
        no_value="no rate limit reported",
        queries=[
            Query(by(ORGANIZATION, gauge(catalogue.RATE_LIMIT_RESET, _KEYS)), _BY_ORGANIZATION)
        ],
        reach=1,
    )
    observed = f"time() - {gauge(catalogue.RATE_LIMIT_OBSERVED, _KEYS)}"
    return [
        with_limits(least_left, (0.1, BAD), (0.25, WARNING)),
        dashed(limits, "B"),
        reset,
        graph(
            Position(103, x=12, y=8, w=12, h=7),
            title="Age of the rate limit data",
            description="Time since a response to a key listing last reported the rate limit, by"
            " organization. The other panels in this row are this old. If it exceeds the refresh"
            " interval, the exporter sends no requests or gets no responses.",
            unit="s",
            no_value="no rate limit reported",
            queries=[Query(by(ORGANIZATION, observed, "min"), _BY_ORGANIZATION)],
            reach=1,
        ),
    ]


def requests() -> list[AnyPanel]:
    """Return the panels about the requests."""
    at_all = max_of_replicas(f"max_over_time({selector(catalogue.ERROR_RATIO)}[{RANGE}] @ end())")
    ratio = f"{gauge(catalogue.ERROR_RATIO)} and on (organization, endpoint) {at_all} > 0"
    return [
        _codes(Position(201, x=0, y=0, w=8, h=8)).interval(_INTERVAL),
        colored_by_reason(
            graph(
                Position(202, x=8, y=0, w=8, h=8),
                title="Failures by reason",
                description="Failed requests per second of the selected organizations, by reason."
                " Purple: the credentials or their role. Orange: the rate limit. Yellow: the"
                " network. Red: any other reason. The log of the exporter says what to"
                f" do.{_ADDED}",
                unit="reqps",
                no_value="no failures",
                queries=[Query(_occurring(catalogue.REQUEST_FAILURES, "reason"), "{{reason}}")],
                reach=0.1,
            )
        ).interval(_INTERVAL),
        shaded(
            graph(
                Position(203, x=16, y=0, w=8, h=8),
                title="Error ratio of the latest refresh",
                description="Failed requests divided by all requests of the latest refresh, by"
                " organization and endpoint. Shows only those with a failure in the time range."
                " Requests are retried, so a refresh can succeed in spite of failures, but not at"
                " 100 %.",
                unit="percentunit",
                no_value="no errors reported",
                queries=[Query(ratio, _BY_ENDPOINT)],
                reach=0.1,
            )
        ),
        *_speed(),
    ]


def _codes(position: Position) -> timeseries.Panel:
    panel = graph(
        position,
        title="Requests by status code",
        description="Requests per second of the selected organizations, by HTTP status code;"
        " `none` means no response. Green: success. Orange: 4xx, such as 401 and 403 for the"
        " credentials or their role, and 429 for too many requests. Red: 5xx, a problem at"
        f" Confluent Cloud.{_ADDED}",
        unit="reqps",
        no_value="no requests",
        queries=[Query(_occurring(catalogue.REQUESTS, "code"), "{{code}}")],
        reach=0.1,
    )
    return colors_by_name(
        panel, {"^[13]": NEUTRAL, "^2": GOOD, "^4": WARNING, "^5": BAD, "^none": "purple"}
    )


def _speed() -> list[AnyPanel]:
    latency = graph(
        Position(204, x=0, y=8, w=16, h=8),
        title="Latency",
        description="The median (p50), 95th and 99th percentile of request durations, for the"
        " selected organizations and all endpoints. Estimated from buckets of up to 10 seconds. A"
        f" p99 near `request_timeout` means that requests time out.{_ADDED}",
        unit="s",
        no_value="no requests",
        queries=[
            Query(_quantile(0.5), "p50", NEUTRAL),
            Query(_quantile(0.95), "p95", "purple"),
            Query(_quantile(0.99), "p99", WARNING),
        ],
        reach=0.1,
    )
    throttled = graph(
        Position(205, x=16, y=8, w=8, h=8),
        title="Throttled time",
        description="Seconds per second that the exporter waited before requests of the selected"
        " organizations: to leave the `reserve` to other clients, because a response asked for it"
        " (`retry_after`), or before a retry (`backoff`). Long waits slow refreshes down but do"
        f" not affect the data.{_ADDED}",
        unit="suffix:s/s",
        no_value="never",
        queries=[Query(f"sum by (reason) ({rate(catalogue.THROTTLED)})", "{{reason}}")],
        reach=0.1,
    )
    throttled = colors_by_name(
        throttled, {"^reserve": NEUTRAL, "^retry_after": WARNING, "^backoff": "purple"}
    )
    return [latency.interval(_INTERVAL), throttled.interval(_INTERVAL)]


def _quantile(share: float) -> str:
    """Return a quantile of the request durations.

    Prometheus may store them as a classic histogram or as a native one, which has no bucket series
    (``convert_classic_histograms_to_nhcb``).
    """
    classic = by(("le",), rate(catalogue.REQUEST_DURATION, suffix="_bucket"), "sum")
    native = f"sum({rate(catalogue.REQUEST_DURATION)})"
    return f"histogram_quantile({share}, {classic}) or histogram_quantile({share}, {native})"


def _occurring(metric: Metric, label: str) -> str:
    """Return the rates by ``label``, without those that are 0 in the whole time range."""
    at_all = f"increase({selector(metric)}[{RANGE}] @ end())"
    return f"sum by ({label}) ({rate(metric)}) and on ({label}) sum by ({label}) ({at_all}) > 0"


def failure_share() -> str:
    """Return the share of each organization's requests that failed, like the alert.

    Absent if there were fewer than 10 requests.
    """
    failed = f"sum by (organization) (rate({selector(catalogue.REQUEST_FAILURES)}[30m]))"
    sent = _sent("rate")
    return f"({failed} / {sent} or 0 * {sent}) and {_sent('increase')} >= 10"


def _sent(function: str) -> str:
    """Return the requests of each organization within 30 minutes, from a histogram of either kind.

    It counts from 0, while a counter by code starts with the first response with that code.
    """
    durations = catalogue.REQUEST_DURATION
    classic = f"sum by (organization) ({function}({selector(durations, suffix='_count')}[30m]))"
    native = f"histogram_count({function}({selector(durations)}[30m]))"
    return f"({classic} or sum by (organization) ({native}))"
