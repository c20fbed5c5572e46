"""The endpoints of the Metrics API (``docs/confluent-cloud-api.md#metrics-api``).

Its host is not that of the listings, so it has errors and rate limits of its own.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from exporter.simulator import responses
from exporter.simulator.bodies import UnreadableBody, read_body
from exporter.simulator.flags import SimulatedRateLimit
from exporter.simulator.metrics_answers import Answer, AnswerOptions
from exporter.simulator.metrics_filter import InvalidBody
from exporter.simulator.metrics_limits import metrics_error
from exporter.simulator.metrics_query import METRICS, parse_metrics_query
from exporter.simulator.paths import METRICS_DESCRIPTORS_PATH, METRICS_QUERY_PATH
from exporter.simulator.rate_limit import RateWindow
from exporter.simulator.requests import header
from exporter.simulator.usage import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from starlette.types import Receive, Scope

    from exporter.clock import Clock
    from exporter.simulator.accounts import Account
    from exporter.simulator.flags import Fault
    from exporter.simulator.metrics_query import Metric, MetricsQuery
    from exporter.simulator.organization import SimulatedOrganization
    from exporter.simulator.requests import ServedRequest
    from exporter.simulator.responses import Response

    Serve: TypeAlias = Callable[[Account, Collection[Fault]], Response]

DEFAULT_LIMITS = (SimulatedRateLimit(300, 60), SimulatedRateLimit(300, 60))
"""The documented limit of an address, and the same for the organization, which is a guess."""
_TOKEN_LIFETIME = 300.0  # seconds; the API only says that tokens expire
_MAX_PAGE_SIZE = 1000


class MetricsApi:
    """Answers queries and lists descriptors.

    ``limits``: the requests of all clients, which have one address here, and of an organization.
    """

    def __init__(
        self, *, clock: Clock, limits: tuple[SimulatedRateLimit, SimulatedRateLimit]
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._address = RateWindow(limits[0], clock=clock)
        self._organizations: dict[str, RateWindow] = {}

    def windows(self, organization: SimulatedOrganization) -> tuple[RateWindow, RateWindow]:
        """Return the rate-limit windows of all clients together and of ``organization``."""
        window = self._organizations.get(organization.id)
        if window is None:
            window = RateWindow(self._limits[1], clock=self._clock)
            self._organizations[organization.id] = window
        return self._address, window

    async def receive(
        self, path: str, request: ServedRequest, scope: Scope, receive: Receive
    ) -> Serve | Response:
        """Return how to answer a request to ``path``, or an error if it cannot be read."""
        expected = "POST" if path == METRICS_QUERY_PATH else "GET"
        if request.method != expected:
            error = responses.POST_ONLY if expected == "POST" else responses.METHOD_NOT_ALLOWED
            return metrics_error(error, request.request_id)
        if path == METRICS_DESCRIPTORS_PATH:
            return lambda account, _: _descriptors(request, account)
        media_type = (header(scope, "content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return _invalid(request, "The Content-Type is not application/json.", status=415)
        try:
            body = await read_body(receive, noun="query")
        except UnreadableBody as error:
            return _invalid(request, str(error), status=error.status)
        return lambda account, faults: self._query(request, body, account, faults)

    def _query(
        self, request: ServedRequest, body: bytes, account: Account, faults: Collection[Fault]
    ) -> Response:
        try:
            query = parse_metrics_query(body)
            after = self._after(request, query, {fault.name for fault in faults})
        except InvalidBody as error:
            return _invalid(request, str(error))
        if _denied(request, account) or query.clusters & account.unreadable_clusters:
            return metrics_error(responses.FORBIDDEN, request.request_id)
        return self._answer(query, account, after=after, faults=faults)

    def _answer(
        self,
        query: MetricsQuery,
        account: Account,
        *,
        after: tuple[str, ...] | None,
        faults: Collection[Fault],
    ) -> Response:
        names = {fault.name for fault in faults}
        if "empty" in names:
            return _page([], page_size=query.limit, token=None)
        limit = max(1, query.limit // 2) if "fewer-groups" in names else query.limit
        answer = Answer(
            query, account.organization, now=self._clock.wall(), options=_options(faults)
        )
        found = answer.groups(after=after, limit=limit + 1)
        groups, token = found[:limit], None
        if query.can_page and len(found) > limit:
            token = self._token(query, groups[-1].key)
        if "cut" in names:
            groups, token = groups[: len(groups) // 2], None
        if "loop" in names and query.can_page:
            token = self._token(query, after)
        rows = [row for group in groups for row in answer.rows(group)]
        return _page(rows, page_size=query.limit, token=token)

    def _token(self, query: MetricsQuery, after: tuple[str, ...] | None) -> str:
        cursor = _Cursor(query.digest, after, self._clock.monotonic() + _TOKEN_LIFETIME)
        return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()

    def _after(
        self, request: ServedRequest, query: MetricsQuery, faults: Collection[str]
    ) -> tuple[str, ...] | None:
        """Return the key of the last group before the page. Raises :class:`InvalidBody`."""
        parameters = _parameters(request, "page_token")
        if "page_token" not in parameters:
            return None
        if not query.can_page:
            raise InvalidBody("This query has no pages: it has no group_by, or granularity ALL.")
        try:
            decoded = base64.b64decode(parameters["page_token"], b"-_", validate=True)
            cursor = msgspec.json.decode(decoded, type=_Cursor)
        except (binascii.Error, ValueError):
            raise InvalidBody("page_token is not valid.") from None
        if cursor.digest != query.digest:
            raise InvalidBody("page_token belongs to a query with another body.")
        if cursor.expires <= self._clock.monotonic() or "expired-token" in faults:
            raise InvalidBody("page_token has expired.")
        return cursor.after


class _Cursor(msgspec.Struct):
    digest: str
    after: tuple[str, ...] | None
    expires: float


def _options(faults: Collection[Fault]) -> AnswerOptions:
    late, idle = 0.0, ""
    for fault in faults:
        if fault.name == "late":
            late += HOUR if fault.seconds is None else fault.seconds
        if fault.name == "nan":
            idle = fault.value
    names = {fault.name for fault in faults}
    return AnswerOptions(
        late=late, idle=idle, extra_labels="extra-labels" in names, shrunk="shrink" in names
    )


def _descriptors(request: ServedRequest, account: Account) -> Response:
    if _denied(request, account):
        return metrics_error(responses.FORBIDDEN, request.request_id)
    try:
        parameters = _parameters(request, "page_size", "page_token", "resource_type")
        page_size, start = _number(parameters, "page_size", 100), 0
        if "page_token" in parameters:
            start = _number(parameters, "page_token", 0)
    except InvalidBody as error:
        return _invalid(request, str(error))
    metrics = [] if parameters.get("resource_type", "kafka") != "kafka" else [*METRICS.values()]
    end = start + page_size
    items = [msgspec.json.encode(_descriptor(metric)).decode() for metric in metrics[start:end]]
    return _page(items, page_size=page_size, token=str(end) if end < len(metrics) else None)


def _descriptor(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "description": metric.description,
        "type": "GAUGE_INT64" if metric.factor is None else "COUNTER_INT64",
        "unit": metric.unit,
        "lifecycle_stage": "GENERAL_AVAILABILITY",
        "exportable": True,
        "labels": [{"key": label, "description": label} for label in metric.labels],
        "resources": ["kafka"],
    }


def _page(items: Sequence[str], *, page_size: int, token: str | None) -> Response:
    pagination: dict[str, object] = {"page_size": page_size}
    if token is not None:
        pagination["next_page_token"] = token
    meta = msgspec.json.encode({"pagination": pagination}).decode()
    return responses.json_response(f'{{"data":[{",".join(items)}],"meta":{meta}}}'.encode())


def _parameters(request: ServedRequest, *names: str) -> dict[str, str]:
    """Return the parameters. Raises :class:`InvalidBody` for unknown and repeated ones."""
    parameters = request.query
    if len(parameters) < len(request.parameters) or not parameters.keys() <= set(names):
        raise InvalidBody(f"The parameters are not distinct ones out of {', '.join(names)}.")
    return parameters


def _number(parameters: dict[str, str], name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 # longer than any valid number
    if not 1 <= number <= _MAX_PAGE_SIZE:
        raise InvalidBody(f"{name} is not valid.")
    return number


def _denied(request: ServedRequest, account: Account) -> bool:
    return not account.metrics_viewer or any(request.path.endswith(path) for path in account.denied)


def _invalid(request: ServedRequest, detail: str, *, status: int = 400) -> Response:
    error = responses.INVALID_FORM._replace(status=status)
    return metrics_error(error, request.request_id, detail=detail)
