"""How the usage collector asks the Metrics API, and where its answers are shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from exporter.simulator import (
    METRICS_DESCRIPTORS_PATH,
    METRICS_QUERY_PATH,
    SimulatedRateLimit,
    SimulatedUsage,
    Workload,
)
from tests.harness import API_KEYS, Harness
from tests.usage import (
    DAY,
    DELAY,
    HOUR,
    PAIRS,
    SETTINGS,
    UNJUDGED,
    UNUSED_FOR,
    WINDOW_START,
    harness_with,
    keys_of,
    queries,
    shown,
    unused,
    workload,
)
from tests.virtual_time import EPOCH
from tests.web.browser import page_of
from tests.web.keys import page
from tests.web.keys import shown as rows
from tests.web.markup import parsed

if TYPE_CHECKING:
    from typing import Any

    from exporter.simulator import Simulator

MANY = 600
"""Owners that half a page cannot hold."""


def many(*clusters: str) -> Harness:
    """Return the harness of :data:`MANY` owners that have worked in each cluster for 160 hours."""
    pairs = [(f"sa-{number:03}", cluster) for cluster in clusters for number in range(MANY)]
    usage = SimulatedUsage(Workload(owner, at, EPOCH - 160 * HOUR) for owner, at in pairs)
    return harness_with(usage, keys_of(pairs), UNUSED_FOR)


def expire_the_second_page(harness: Harness, *, of: int = 1) -> None:
    """Let the page token of the query with number ``of`` expire before it is used."""
    harness.simulator.script(of, "fewer-groups", path=METRICS_QUERY_PATH)
    harness.simulator.script(of + 1, "expired-token", path=METRICS_QUERY_PATH)


async def test_an_answer_continues_on_further_pages() -> None:
    harness = many("lkc-a")
    for number in range(1, 5):
        harness.simulator.script(number, "fewer-groups", path=METRICS_QUERY_PATH)
    await harness.exporter.refresh_once()
    assert len(shown(harness)) == MANY
    bodies = [json.loads(each.content) for each in harness.sent if each.content]
    tokens = [each.url.params.get("page_token") for each in harness.sent if each.content]
    pages = [number for number, token in enumerate(tokens) if token]
    assert pages == [1, 3], "of the first two queries"
    assert [bodies[number] for number in pages] == [bodies[number - 1] for number in pages]
    assert not any("now" in interval for body in bodies for interval in body["intervals"])


async def test_a_page_that_leads_to_itself_is_no_answer() -> None:
    harness = many("lkc-a")
    for number in range(1, 100):
        harness.simulator.script(number, "loop", path=METRICS_QUERY_PATH)
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert failure.reason == "pagination"
    assert shown(harness) == {}
    assert queries(harness) == 2, "the first page, and the same again"


class Endless(httpx.AsyncBaseTransport):
    """Answers each query with an empty page that leads to another one."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.pages = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != METRICS_QUERY_PATH:
            return await self._inner.handle_async_request(request)
        self.pages += 1
        meta = {"pagination": {"next_page_token": str(self.pages)}}
        return httpx.Response(200, json={"data": [], "meta": meta})


async def test_an_answer_has_at_most_a_thousand_pages() -> None:
    harness = harness_with(SimulatedUsage(), keys_of(PAIRS))
    wire = harness.wire = Endless(harness.wire)
    await harness.configured().exporter.refresh_once()
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert failure.reason == "pagination"
    assert wire.pages == 1000


async def test_after_an_expired_page_token_the_query_begins_again() -> None:
    harness = many("lkc-a", "lkc-b")
    harness.organization.usage.silent.add("lkc-b")  # both together would be too many groups
    expire_the_second_page(harness)
    await harness.exporter.refresh_once()
    assert harness.state.refreshes["usage"].up
    assert len(shown(harness)) == MANY
    assert harness.value(UNJUDGED) == 1
    assert unused(harness) == {}


async def test_pages_before_an_expired_page_token_are_no_answer() -> None:
    harness = many("lkc-a")
    expire_the_second_page(harness)
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert "page_token has expired" in failure.message
    assert shown(harness) == {}
    assert harness.value(UNJUDGED) is None
    assert unused(harness) == {}
    assert harness.state.prioritized.up
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    assert harness.state.refreshes["usage"].up
    assert len(shown(harness)) == MANY
    assert unused(harness) == {}


async def test_an_expired_page_token_changes_nothing_about_what_is_known() -> None:
    harness = many("lkc-a")
    await harness.exporter.refresh_once()
    before, start = shown(harness), harness.value(WINDOW_START)
    await harness.clock.sleep(5 * HOUR)
    expire_the_second_page(harness, of=queries(harness) + 1)
    await harness.exporter.refresh_once()
    assert not harness.state.refreshes["usage"].up
    assert shown(harness) == before
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    assert shown(harness) == {pair: end + 6 * HOUR for pair, end in before.items()}
    assert harness.value(WINDOW_START) == start
    assert unused(harness) == {}


class Described(httpx.AsyncBaseTransport):
    """Answers requests for descriptors with these labels, and passes all other requests on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *labels: str) -> None:
        self._inner = inner
        self.labels = labels

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != METRICS_DESCRIPTORS_PATH:
            return await self._inner.handle_async_request(request)
        keys = [{"key": label, "description": ""} for label in self.labels]
        others = [{"key": "principal_id"}, {"key": "metric.principal_id"}]
        metrics = [
            {"name": "io.confluent.kafka.server/request_bytes", "labels": others},
            {"name": "io.confluent.kafka.server/request_count", "labels": keys},
        ]
        return httpx.Response(200, json={"data": metrics})


async def test_without_the_label_of_principals_no_query_is_sent_and_the_cause_is_named() -> None:
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=9)]), keys_of(PAIRS), UNUSED_FOR)
    wire = harness.wire = Described(harness.wire, "metric.type")
    await harness.configured().exporter.refresh_once()
    failure = harness.state.refreshes["usage"].failure
    assert failure is not None
    assert "does not count io.confluent.kafka.server/request_count by principal" in failure.message
    assert queries(harness) == 0
    assert unused(harness) == {}
    assert harness.state.prioritized.up
    for label in ("metric.principal_id", "principal_id"):
        wire.labels = "metric.type", label
        await harness.configured().exporter.refresh_once()
        assert set(shown(harness)) == {("sa-0", "lkc-a")}, label


async def test_the_descriptors_are_asked_until_they_are_answered_and_then_never_again() -> None:
    harness = harness_with(SimulatedUsage([workload(0, "a", ago=9)]), keys_of(PAIRS))
    wire = harness.wire = Described(harness.wire)
    harness.configured()
    for _ in range(2):
        await harness.exporter.refresh_once()
        assert queries(harness) == 0
    wire.labels = ("metric.principal_id",)
    await harness.exporter.refresh_once()
    assert queries(harness) == 4
    wire.labels = ()
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    assert queries(harness) == 5
    assert harness.state.refreshes["usage"].up


class LimitedHarness(Harness):
    """As :class:`Harness`; the Metrics API limits the requests of each organization more."""

    def create_simulator(self, **settings: Any) -> Simulator:
        limits = SimulatedRateLimit(300, 60), SimulatedRateLimit(4, 600)
        return super().create_simulator(metrics_limits=limits, **settings)


async def test_the_tighter_of_two_scopes_paces_the_queries_and_not_the_listing() -> None:
    harness = LimitedHarness(keys_of(PAIRS), settings=SETTINGS + ", refresh_timeout: 1h")
    harness.organization.usage = SimulatedUsage([workload(0, "a", ago=9)])
    async with harness.exporter.running():
        await harness.clock.sleep(1300)
    assert harness.state.refreshes["usage"].up
    assert queries(harness) == 4
    listings = [each for each in harness.sent if each.url.path == API_KEYS]
    assert len(listings) == 5, "one in every five minutes, as without usage"
    answers = [
        (at, answer.status_code)
        for request, (at, answer) in zip(harness.sent, harness.received, strict=True)
        if request.url.path in {METRICS_QUERY_PATH, METRICS_DESCRIPTORS_PATH}
    ]
    assert [status for _, status in answers] == [200] * 5
    assert answers[-1][0] - answers[0][0] > 1200, "two requests in each window of ten minutes"
    remaining = "confluent_cloud_api_rate_limit_remaining"
    limit = "confluent_cloud_api_rate_limit_limit"
    assert harness.value(limit, endpoint=METRICS_QUERY_PATH) == 4
    assert harness.value(remaining, endpoint=METRICS_QUERY_PATH) == 3


async def facts(harness: Harness) -> dict[str, str]:
    """Return the facts about activity on the status page."""
    root = parsed(await page_of(harness))
    titles, texts = ([each.text for each in root.all(tag)] for tag in ("dt", "dd"))
    found = dict(zip(titles, texts, strict=True))
    return {title: text for title, text in found.items() if title.startswith("Activity")}


async def test_the_status_page_shows_for_how_long_activity_is_known() -> None:
    usage = SimulatedUsage([workload(0, "a", ago=9)], silent=["lkc-b", "lkc-c"])
    harness = harness_with(usage, keys_of(PAIRS))
    assert await facts(harness) == {"Activity": "not known yet"}
    await harness.exporter.refresh_once()
    # Without the hour of which a part is forgotten, and the minutes that are not known yet.
    note = "not evaluated: 2 of 3 Kafka clusters"
    assert await facts(harness) == {"Activity": f"known for 6 d 23 h {note}"}
    usage.silent.clear()
    usage.add(workload(0, "b", ago=9))
    usage.add(workload(0, "c", ago=9))
    await harness.clock.sleep(HOUR)
    await harness.exporter.refresh_once()
    # Of a cluster that told of nobody before, only the day that was asked for again is known.
    assert await facts(harness) == {"Activity": "known for 1 d"}


async def test_check_reports_the_missing_role() -> None:
    harness = harness_with(SimulatedUsage(), keys_of(PAIRS))
    harness.accounts[0].metrics_viewer = False
    await harness.exporter.refresh_once()
    *_, line = harness.described().splitlines()
    assert line.startswith("  usage failed (forbidden): GET /v2/metrics/cloud/descriptors/metrics")
    assert "Grant MetricsViewer" in line


async def test_the_list_of_keys_has_the_unused_keys_that_the_metric_counts() -> None:
    usage = SimulatedUsage([workload(0, "a", ago=300), workload(2, "a", ago=300, until=-48)])
    keys = keys_of([("sa-0", "lkc-a"), ("sa-1", "lkc-a"), ("sa-2", "lkc-a"), ("sa-3", "lkc-b")])
    harness = harness_with(usage, keys, UNUSED_FOR)
    before = (await page(harness, "/keys?policy=unused_for")).text
    assert "acme: not listed yet." in before
    await harness.exporter.refresh_once()
    assert unused(harness) == {"sa-1": 1, "sa-2": 1}
    found = rows(await page(harness, "/keys?policy=unused_for"))
    assert sorted(found) == ["KEY00001", "KEY00002"]


async def test_without_usage_the_list_does_not_call_keys_used() -> None:
    harness = harness_with(SimulatedUsage(), keys_of(PAIRS), UNUSED_FOR)
    harness.simulator.script(1, "403", path=METRICS_DESCRIPTORS_PATH)
    await harness.exporter.refresh_once()
    text = (await page(harness, "/keys?policy=unused_for")).text
    assert "acme: the policy unused_for cannot be evaluated, because activity is not known" in text


async def test_late_data_are_found_at_the_first_refresh_that_can_know_them() -> None:
    late, stopped = 2 * HOUR, EPOCH + 20 * HOUR
    usage = SimulatedUsage(
        [
            Workload("sa-0", "lkc-a", EPOCH - 200 * HOUR),
            # In steps of seven hours, so that each hour of a day has a request.
            Workload("sa-1", "lkc-a", EPOCH - 200 * HOUR, every=7 * HOUR, lateness=late),
            Workload("sa-2", "lkc-a", EPOCH - 200 * HOUR, until=stopped, lateness=late),
        ]
    )
    owners = ["sa-0", "sa-1", "sa-2"]
    harness = harness_with(usage, keys_of([(each, "lkc-a") for each in owners]), UNUSED_FOR)
    wrong = []
    async with harness.exporter.running():
        await harness.clock.sleep(60)
        for hour in range(170):  # the latest refresh was a minute ago
            now = harness.clock.wall() - 60
            known = {owner: usage.last_active(owner, "lkc-a", at=now) or 0.0 for owner in owners}
            expected = {owner: min(end, now - DELAY) for owner, end in known.items()}
            found = {owner: end for (owner, _), end in shown(harness).items()}
            idle = [owner for owner, end in expected.items() if end <= now - DELAY - DAY]
            if {*unused(harness)} != {*idle} or any(
                abs(found.get(owner, 0.0) - end) > 60 for owner, end in expected.items()
            ):
                wrong.append(hour)
            await harness.clock.sleep(HOUR)
        assert unused(harness) == {"sa-2": 1}
    assert wrong == []
