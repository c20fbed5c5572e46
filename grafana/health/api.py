"""How the Confluent Cloud API answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import BAD, GOOD, WARNING, Query, Spot, Text, colors_by_name, dashed, graph
from grafana.queries import ORGANIZATION, RANGE, by, gauge, least, once, rate, selector

if TYPE_CHECKING:
    from exporter.exposition.catalogue import Metric
    from grafana.panels import AnyPanel
    from grafana.sdk import timeseries

_AT = "{{organization}} {{endpoint}}"
_WHOSE = "{{organization}}"
_KEYS = 'endpoint="/iam/v2/api-keys"'
_PATIENT = "5m"  # the requests of a refresh come at once; in shorter steps the lines are needles
_ADDED = " The requests of all chosen exporters are added up, since each spends them."


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
            title="Least of the rate limit left",
            about="Requests left in the API's window as a share of what it allows, by"
            " organization; of its endpoints the one with the least, of those heard of within"
            " `stale_after`. All who share the limit spend it. Near 0, raise `refresh_interval` or"
            " `rate_limit.reserve`, or look for another client that asks too often.",
            unit="percentunit",
            none="nothing heard of it",
        ),
        [Query(by(ORGANIZATION, left_lately(), "min"), _WHOSE)],
    )
    limits = graph(
        Spot(101, x=12, y=0, w=12, h=8),
        Text(
            title="Rate limit",
            about="Requests for keys that are left in the API's window, by organization, and,"
            " dashed, how many it allows; of the chosen organizations the one with the least. As"
            " the latest response said.",
            unit="short",
            none="the API says nothing of it",
        ),
        [
            Query(by(ORGANIZATION, least(catalogue.RATE_LIMIT_REMAINING, _KEYS), "min"), _WHOSE),
            Query(f"min({gauge(catalogue.RATE_LIMIT, _KEYS)})", "limit", BAD),
        ],
    )
    reset = graph(
        Spot(102, x=0, y=8, w=12, h=7),
        Text(
            title="Seconds to the reset",
            about="Seconds until the rate limit's window for keys ends, counted from the latest"
            " response that spoke of it, by organization. Until then, what is spent is spent.",
            unit="s",
            none="the API says nothing of it",
        ),
        [Query(by(ORGANIZATION, gauge(catalogue.RATE_LIMIT_RESET, _KEYS)), _WHOSE)],
    )
    observed = f"time() - {gauge(catalogue.RATE_LIMIT_OBSERVED, _KEYS)}"
    return [
        least_left,
        dashed(limits, "B"),
        reset,
        graph(
            Spot(103, x=12, y=8, w=12, h=7),
            Text(
                title="Age of the observation",
                about="Time since a response to a request for keys last spoke of the rate limit,"
                " by organization: what the panels beside show of them is this old. More than the"
                " refresh interval of the keys means that nothing is asked, or nothing answers.",
                unit="s",
                none="the API says nothing of it",
            ),
            [Query(by(ORGANIZATION, observed, "min"), _WHOSE)],
        ),
    ]


def requests() -> list[AnyPanel]:
    """Return how the requests end."""
    at_all = once(f"max_over_time({selector(catalogue.ERROR_RATIO)}[{RANGE}] @ end())")
    ratio = f"{gauge(catalogue.ERROR_RATIO)} and on (organization, endpoint) {at_all} > 0"
    return [
        _codes(Spot(201, x=0, y=0, w=8, h=8)).interval(_PATIENT),
        graph(
            Spot(202, x=8, y=0, w=8, h=8),
            Text(
                title="Failures by reason",
                about="Requests per second that brought nothing of use, by reason. The chosen"
                f" organizations.{_ADDED} The exporter's log says for each reason what to do.",
                unit="reqps",
                none="no failures",
            ),
            [Query(_occurring(catalogue.REQUEST_FAILURES, "reason"), "{{reason}}")],
        ).interval(_PATIENT),
        graph(
            Spot(203, x=16, y=0, w=8, h=8),
            Text(
                title="Error ratio of the latest refresh",
                about="Failed requests divided by all requests of the latest refresh, by"
                " organization and endpoint, where any failed within the time range. Requests are"
                " repeated, so a refresh may succeed with some failures; at 100 % it cannot.",
                unit="percentunit",
                none="no errors known",
            ),
            [Query(ratio, _AT)],
        ).max(1),
        *_speed(),
    ]


def _codes(spot: Spot) -> timeseries.Panel:
    panel = graph(
        spot,
        Text(
            title="Requests by status code",
            about="Requests per second by the HTTP status code of the answer; `none` where no"
            f" answer came. The chosen organizations.{_ADDED} Orange, 401 and 403: the credentials"
            " or their role, and 429: too many requests; red, 5xx: Confluent.",
            unit="reqps",
            none="no requests",
        ),
        [Query(_occurring(catalogue.REQUESTS, "code"), "{{code}}")],
    )
    return colors_by_name(panel, {"^2": GOOD, "^4": WARNING, "^5": BAD, "^none": "purple"})


def _speed() -> list[AnyPanel]:
    buckets = by(("le",), rate(catalogue.REQUEST_DURATION, suffix="_bucket"), "sum")
    latency = graph(
        Spot(204, x=0, y=8, w=16, h=8),
        Text(
            title="Latency",
            about="Half of the requests (p50), 95 % and 99 % of them take at most this long, for"
            f" the chosen organizations and all endpoints.{_ADDED} Estimated from buckets of up"
            " to 10 seconds; a p99 near `request_timeout` means that requests are given up.",
            unit="s",
            none="no requests",
        ),
        [
            Query(f"histogram_quantile({share}, {buckets})", name)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        ],
    )
    throttled = graph(
        Spot(205, x=16, y=8, w=8, h=8),
        Text(
            title="Held back",
            about="Seconds per second that the exporter held back requests, by reason: to leave"
            " the `reserve` to others, because an answer asked for it (`retry_after`), or before"
            f" a repetition (`backoff`). The chosen organizations.{_ADDED} Much of it makes"
            " refreshes slow, not wrong.",
            unit="suffix:s/s",
            none="never",
        ),
        [Query(f"sum by (reason) ({rate(catalogue.THROTTLED)})", "{{reason}}")],
    )
    return [latency.interval(_PATIENT), throttled.interval(_PATIENT)]


def _occurring(metric: Metric, label: str) -> str:
    """Return the rates by ``label``, without what did not occur within the time range."""
    at_all = f"increase({selector(metric)}[{RANGE}] @ end())"
    return f"sum by ({label}) ({rate(metric)}) and on ({label}) sum by ({label}) ({at_all}) > 0"


def failure_share() -> str:
    """Return which part of each organization's requests failed lately, as the alert has it.

    Of a few requests it says nothing.

    The histogram counts all requests from 0 on; that of the answers begins with the first of a
    code.
    """
    failed, sent = (
        f"sum by (organization) (rate({selector(metric, suffix=suffix)}[30m]))"
        for metric, suffix in (
            (catalogue.REQUEST_FAILURES, ""),
            (catalogue.REQUEST_DURATION, "_count"),
        )
    )
    enough = sent.replace("rate(", "increase(")
    return f"({failed} / {sent} or 0 * {sent}) and {enough} >= 10"
