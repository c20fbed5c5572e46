"""How the Confluent Cloud API answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    GOOD,
    NEUTRAL,
    WARNING,
    Query,
    Spot,
    Text,
    by_reason,
    colors_by_name,
    dashed,
    failures,
    graph,
    marked,
)
from monitoring.dashboards.queries import (
    ORGANIZATION,
    RANGE,
    by,
    gauge,
    least,
    once,
    rate,
    selector,
)

if TYPE_CHECKING:
    from exporter.exposition.catalogue import Metric
    from monitoring.dashboards.panels import AnyPanel
    from monitoring.dashboards.sdk import timeseries

_AT = "{{organization}} {{endpoint}}"
_WHOSE = "{{organization}}"
_KEYS = 'endpoint="/iam/v2/api-keys"'
_PATIENT = "5m"  # the requests of a refresh come at once; in shorter steps the lines are needles
_ADDED = " The requests of all selected exporters are added up, since each spends them."


def left_lately() -> str:
    """Return which part of the rate limit is left, by endpoint, where that is still news.

    As the alert has it: not older than the keys may be.
    """
    share = f"{least(catalogue.RATE_LIMIT_REMAINING)} / ({gauge(catalogue.RATE_LIMIT)} > 0)"
    age = f"time() - {gauge(catalogue.RATE_LIMIT_OBSERVED)}"
    news = by(ORGANIZATION, gauge(catalogue.STALE_AFTER, 'collector="api_keys"'))
    return f"{share} and {age} < on (organization) group_left () {news}"


def rate_limit() -> list[AnyPanel]:
    """Return what is left of the rate limit."""
    least_left = graph(
        Spot(104, x=0, y=0, w=12, h=8),
        Text(
            title="Rate limit left by organization",
            about="Requests left in the API's rate limit window as a share of the limit. For each"
            " organization this is the endpoint with the smallest share, among those that answered"
            " within `stale_after`. Everyone who uses the organization's limit spends it. Near the"
            " dashed lines, raise `refresh_interval` or `rate_limit.reserve`, or look for another"
            " client that sends too many requests.",
            unit="percentunit",
            none="no rate limit reported",
        ),
        [Query(by(ORGANIZATION, left_lately(), "min"), _WHOSE)],
        reach=1,
        calcs=("lastNotNull", "min"),
    )
    limits = graph(
        Spot(101, x=12, y=0, w=12, h=8),
        Text(
            title="Requests left for listing keys",
            about="Requests for keys left in the API's rate limit window, by organization, as of"
            " the latest response. The dashed line is the limit; of the selected organizations the"
            " lowest.",
            unit=COUNT,
            none="no rate limit reported",
            decimals=0,
        ),
        [
            Query(by(ORGANIZATION, least(catalogue.RATE_LIMIT_REMAINING, _KEYS), "min"), _WHOSE),
            Query(f"min({gauge(catalogue.RATE_LIMIT, _KEYS)})", "limit", BAD),
        ],
        reach=1,
        calcs=("lastNotNull", "min"),
    )
    reset = graph(
        Spot(102, x=0, y=8, w=12, h=7),
        Text(
            title="Time to the rate limit reset",
            about="Seconds from the latest response to the end of the rate limit window for keys,"
            " by organization. Requests that are spent come back only then.",
            unit="s",
            none="no rate limit reported",
        ),
        [Query(by(ORGANIZATION, gauge(catalogue.RATE_LIMIT_RESET, _KEYS)), _WHOSE)],
        reach=1,
    )
    observed = f"time() - {gauge(catalogue.RATE_LIMIT_OBSERVED, _KEYS)}"
    return [
        marked(least_left, (0.1, BAD), (0.25, WARNING)),
        dashed(limits, "B"),
        reset,
        graph(
            Spot(103, x=12, y=8, w=12, h=7),
            Text(
                title="Age of the rate limit data",
                about="Time since a response to a request for keys last reported the rate limit, by"
                " organization. The other panels of this row are this old. More than the refresh"
                " interval means that the exporter sends no requests or gets no answers.",
                unit="s",
                none="no rate limit reported",
            ),
            [Query(by(ORGANIZATION, observed, "min"), _WHOSE)],
            reach=1,
        ),
    ]


def requests() -> list[AnyPanel]:
    """Return how the requests end."""
    at_all = once(f"max_over_time({selector(catalogue.ERROR_RATIO)}[{RANGE}] @ end())")
    ratio = f"{gauge(catalogue.ERROR_RATIO)} and on (organization, endpoint) {at_all} > 0"
    return [
        _codes(Spot(201, x=0, y=0, w=8, h=8)).interval(_PATIENT),
        by_reason(
            graph(
                Spot(202, x=8, y=0, w=8, h=8),
                Text(
                    title="Failures by reason",
                    about="Failed requests per second of the selected organizations, by reason."
                    " Purple: the credentials or their role. Orange: the rate limit. Yellow: the"
                    f" network. Red: any other reason. The exporter's log says what to do.{_ADDED}",
                    unit="reqps",
                    none="no failures",
                ),
                [Query(_occurring(catalogue.REQUEST_FAILURES, "reason"), "{{reason}}")],
                reach=0.1,
            )
        ).interval(_PATIENT),
        failures(
            graph(
                Spot(203, x=16, y=0, w=8, h=8),
                Text(
                    title="Error ratio of the latest refresh",
                    about="Failed requests divided by all requests of the latest refresh, by"
                    " organization and endpoint; only those with a failure in the time range."
                    " Requests are retried, so a refresh can succeed with some failures, but not"
                    " at 100 %.",
                    unit="percentunit",
                    none="no errors reported",
                ),
                [Query(ratio, _AT)],
                reach=0.1,
            )
        ),
        *_speed(),
    ]


def _codes(spot: Spot) -> timeseries.Panel:
    panel = graph(
        spot,
        Text(
            title="Requests by status code",
            about="Requests per second of the selected organizations by HTTP status code; `none`"
            " means that no response came. Green: success. Orange: 4xx, such as 401 and 403 for"
            " the credentials or their role, and 429 for too many requests. Red: 5xx, a problem of"
            f" Confluent Cloud.{_ADDED}",
            unit="reqps",
            none="no requests",
        ),
        [Query(_occurring(catalogue.REQUESTS, "code"), "{{code}}")],
        reach=0.1,
    )
    return colors_by_name(
        panel, {"^[13]": NEUTRAL, "^2": GOOD, "^4": WARNING, "^5": BAD, "^none": "purple"}
    )


def _speed() -> list[AnyPanel]:
    latency = graph(
        Spot(204, x=0, y=8, w=16, h=8),
        Text(
            title="Latency",
            about="Half of the requests (p50), 95 % and 99 % of them take at most this long, for"
            " the selected organizations and all endpoints. Estimated from buckets of up to 10"
            " seconds. A p99 near `request_timeout` means that requests time out."
            f"{_ADDED}",
            unit="s",
            none="no requests",
        ),
        [
            Query(_quantile(0.5), "p50", NEUTRAL),
            Query(_quantile(0.95), "p95", "purple"),
            Query(_quantile(0.99), "p99", WARNING),
        ],
        reach=0.1,
    )
    throttled = graph(
        Spot(205, x=16, y=8, w=8, h=8),
        Text(
            title="Throttled time",
            about="Seconds per second that the exporter waited before requests of the selected"
            " organizations: to leave the `reserve` to others, because a response asked for it"
            " (`retry_after`), or before a retry (`backoff`). Long waits make refreshes slow, not"
            f" wrong.{_ADDED}",
            unit="suffix:s/s",
            none="never",
        ),
        [Query(f"sum by (reason) ({rate(catalogue.THROTTLED)})", "{{reason}}")],
        reach=0.1,
    )
    throttled = colors_by_name(
        throttled, {"^reserve": NEUTRAL, "^retry_after": WARNING, "^backoff": "purple"}
    )
    return [latency.interval(_PATIENT), throttled.interval(_PATIENT)]


def _quantile(share: float) -> str:
    """Return a quantile of the request durations.

    Prometheus may keep them as a classic histogram or, with ``convert_classic_histograms_to_nhcb``,
    as a native one, which has no buckets of its own name.
    """
    classic = by(("le",), rate(catalogue.REQUEST_DURATION, suffix="_bucket"), "sum")
    native = f"sum({rate(catalogue.REQUEST_DURATION)})"
    return f"histogram_quantile({share}, {classic}) or histogram_quantile({share}, {native})"


def _occurring(metric: Metric, label: str) -> str:
    """Return the rates by ``label``, without what did not occur within the time range."""
    at_all = f"increase({selector(metric)}[{RANGE}] @ end())"
    return f"sum by ({label}) ({rate(metric)}) and on ({label}) sum by ({label}) ({at_all}) > 0"


def failure_share() -> str:
    """Return the share of each organization's requests that failed recently, as the alert has it.

    Absent where there were fewer than 10 requests.
    """
    failed = f"sum by (organization) (rate({selector(catalogue.REQUEST_FAILURES)}[30m]))"
    sent = _sent("rate")
    return f"({failed} / {sent} or 0 * {sent}) and {_sent('increase')} >= 10"


def _sent(function: str) -> str:
    """Return all requests of each organization within 30 minutes, whose histogram may be native.

    It counts them from 0; the counter by code begins with the first of a code.
    """
    durations = catalogue.REQUEST_DURATION
    classic = f"sum by (organization) ({function}({selector(durations, suffix='_count')}[30m]))"
    native = f"histogram_count({function}({selector(durations)}[30m]))"
    return f"({classic} or sum by (organization) ({native}))"
