"""How the Confluent Cloud API answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import Query, Spot, Text, dashed, graph
from grafana.queries import RANGE, by, gauge, rate, selector

if TYPE_CHECKING:
    from exporter.exposition.catalogue import Metric
    from grafana.panels import AnyPanel

_AT = "{{organization}} {{endpoint}}"
_PATIENT = "5m"  # the requests of a refresh come at once; in shorter steps the lines are needles
_ADDED = " The requests of all chosen exporters are added up, since each spends them."


def left() -> str:
    """Return the requests left, as the replica says that saw fewest."""
    return f"min without (instance, pod) ({selector(catalogue.RATE_LIMIT_REMAINING)})"


def rate_limit() -> list[AnyPanel]:
    """Return what is left of the rate limit."""
    limits = graph(
        Spot(101, x=0, y=0, w=12, h=9),
        Text(
            title="Rate limit",
            about="Requests left in the API's window and, dashed, how many it allows, by"
            " organization and endpoint as the latest response said. All who share the limit"
            " spend it. Near 0, raise `refresh_interval` or `rate_limit.reserve`, or look for"
            " another client that asks too often.",
            unit="short",
            none="the API says nothing of it",
        ),
        [
            Query(left(), f"{_AT} left"),
            Query(gauge(catalogue.RATE_LIMIT), f"{_AT} limit"),
        ],
    )
    reset = graph(
        Spot(102, x=12, y=0, w=6, h=9),
        Text(
            title="Seconds to the reset",
            about="Seconds until the rate limit's window ends, counted from the latest response"
            " that spoke of it, by organization and endpoint. Until then, what is spent is spent.",
            unit="s",
            none="the API says nothing of it",
        ),
        [Query(gauge(catalogue.RATE_LIMIT_RESET), _AT)],
    )
    observed = graph(
        Spot(103, x=18, y=0, w=6, h=9),
        Text(
            title="Age of the observation",
            about="Time since a response last spoke of the rate limit, by organization and"
            " endpoint: what the panels beside show is this old. More than the refresh interval"
            " means that nothing is asked, or nothing answers.",
            unit="s",
            none="the API says nothing of it",
        ),
        [Query(f"time() - {gauge(catalogue.RATE_LIMIT_OBSERVED)}", _AT)],
    )
    return [dashed(limits, "B"), reset, observed]


def requests() -> list[AnyPanel]:
    """Return how the requests end."""
    return [
        graph(
            Spot(201, x=0, y=0, w=8, h=8),
            Text(
                title="Requests by status code",
                about="Requests per second by the HTTP status code of the answer; `none` where no"
                f" answer came. The chosen organizations.{_ADDED} 401 and 403: the credentials or"
                " their role; 429: too many requests; 5xx: Confluent.",
                unit="reqps",
                none="no requests",
            ),
            [Query(_occurring(catalogue.REQUESTS, "code"), "{{code}}")],
        ).interval(_PATIENT),
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
                " organization and endpoint. Requests are repeated, so a refresh may succeed with"
                " some failures; at 100 % it cannot.",
                unit="percentunit",
                none="not reported",
            ),
            [Query(gauge(catalogue.ERROR_RATIO), _AT)],
        ).max(1),
        *_speed(),
    ]


def _speed() -> list[AnyPanel]:
    buckets = by(("endpoint", "le"), rate(catalogue.REQUEST_DURATION, suffix="_bucket"), "sum")
    latency = graph(
        Spot(204, x=0, y=8, w=16, h=8),
        Text(
            title="Latency",
            about="Half of the requests (p50), 95 % and 99 % of them take at most this long, by"
            f" endpoint, for the chosen organizations.{_ADDED} Estimated from buckets of up to 10"
            " seconds; a p99 near `request_timeout` means that requests are given up.",
            unit="s",
            none="no requests",
        ),
        [
            Query(f"histogram_quantile({share}, {buckets})", f"{name} {{{{endpoint}}}}")
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


def failure_share(window: str) -> str:
    """Return which part of the requests within ``window`` failed; all exporters' are added up."""
    failed, sent = (
        f"sum(increase({selector(metric)}[{window}]))"
        for metric in (catalogue.REQUEST_FAILURES, catalogue.REQUESTS)
    )
    return f"{failed} / ({sent} > 0)"
