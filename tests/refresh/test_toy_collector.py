"""A collector needs its own module and a place in the list of collectors, and nothing else."""

# ruff: noqa: ARG002, ARG003 # the protocol names the arguments
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from structlog.testing import capture_logs

from exporter.app import Exporter
from exporter.collectors import COLLECTORS
from exporter.confluent.request import Request
from exporter.exposition import catalogue, part
from exporter.refresh import Outcome, Slice
from exporter.simulator import parse_fault
from exporter.summary import Fact, Summary
from tests.harness import API_KEYS, Harness, configuration
from tests.web.browser import browser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.exposition import Part
    from exporter.refresh import OrganizationState

COUNT = Slice("toy", 0)
COUNT_METRIC = catalogue.Metric("toy_collections", "gauge", "Collections.", ("organization",))
BUG = "error in the exporter; please report it"


class ToyCollector:
    name, interval, stale_after = COUNT.collector, 10.0, 30.0
    low_priority, host_name, endpoints = True, "api", ("/toy",)
    metrics: ClassVar[Sequence[catalogue.Metric]] = (COUNT_METRIC,)

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        return None if organization.name == "without" else cls()

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        return Outcome(lambda state: state.with_slice(COUNT, state.get(COUNT) + 1))

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        return state

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        yield part([(COUNT_METRIC, [((state.name,), state.get(COUNT))])])

    def summarize(self, state: OrganizationState) -> Summary:
        return Summary([Fact("Toy collections", state.get(COUNT))])


def exporter_with(harness: Harness, toy: type[ToyCollector]) -> Exporter:
    return Exporter(
        harness.config,
        clock=harness.clock,
        transport=lambda _: harness.wire,
        process_metrics=False,
        collectors=(*COLLECTORS, toy),
    )


async def test_a_collector_is_scheduled_exposed_shown_and_reloaded() -> None:
    harness = Harness(5, names=("acme", "without"))
    harness.exporter = exporter_with(harness, ToyCollector)
    toy = {"collector": "toy", "organization": "acme"}
    refreshes = "confluent_cloud_exporter_refreshes_total"
    async with harness.exporter.running(), browser(harness) as client:
        await harness.clock.sleep(25)  # collected after 0, 10 and 20 s
        assert harness.value("toy_collections") == harness.value(refreshes, **toy) == 3
        assert harness.value("toy_collections", organization="without") is None
        assert harness.value("confluent_cloud_exporter_stale_after_seconds", **toy) == 30
        assert harness.value("confluent_cloud_api_requests_total", endpoint="/toy", code="200") == 0
        page = (await client.get("/")).text
        assert "Toy collections" in page
        assert '<th scope="row">toy<' in page
        await harness.exporter.reload(
            configuration("policy: {max_age: 1d}", names=("acme", "without"))
        )
        assert harness.value("toy_collections") == 3, "its slice survives a reload"
        await harness.clock.sleep(15)  # collected again after 0 and 10 s
        assert harness.value("toy_collections") == harness.value(refreshes, **toy) == 5


class BrokenCollector(ToyCollector):
    """Fails with a bug at its first collection, and after the publication of its second."""

    def __init__(self) -> None:
        self.outcomes = iter([self.fail, self.publish_and_fail])

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        good = await super().collect(host, budget, state)
        return next(self.outcomes, lambda good: good)(good)

    def fail(self, good: Outcome) -> Outcome:
        raise RuntimeError("a bug")

    def publish_and_fail(self, good: Outcome) -> Outcome:
        def break_down() -> None:
            self.fail(good)

        return replace(good, on_published=break_down)


async def test_a_bug_in_a_collector_fails_its_refresh_and_does_not_end_its_loop() -> None:
    harness = Harness(5)
    harness.exporter = exporter_with(harness, BrokenCollector)
    failures = {"collector": "toy", "reason": "internal"}
    with capture_logs() as logs:
        async with harness.exporter.running():
            await harness.clock.sleep(1)
            assert harness.value("confluent_cloud_up", collector="toy") == 0
            assert harness.value("confluent_cloud_exporter_refresh_failures_total", **failures) == 1
            assert harness.value("toy_collections") == 0
            await harness.clock.sleep(60)
            assert harness.value("confluent_cloud_up", collector="toy") == 1
            # Retried after 5 to 10 s, then every 10 s.
            assert harness.value("toy_collections") == 6
            assert harness.exporter.dead_loops() == []
    errors = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert [each for each in errors if each == BUG] == [BUG, BUG]


class UnderivableCollector(ToyCollector):
    """Cannot derive its slice after a reload."""

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        if state.get(COUNT) == 1:
            raise RuntimeError("a bug")
        return state


async def test_a_bug_during_a_reload_does_not_stop_any_organization() -> None:
    harness = Harness(5, names=("acme", "without"))
    harness.exporter = exporter_with(harness, UnderivableCollector)
    # Captured also because a traceback on the console takes seconds.
    with capture_logs() as logs:
        async with harness.exporter.running():
            await harness.clock.sleep(1)
            sent = len(harness.simulator.requests)
            await harness.exporter.reload(
                configuration("refresh_interval: 1m", names=("acme", "without"))
            )
            await harness.clock.sleep(150)  # after 0, 60 and 120 s
            assert len(harness.simulator.requests) == sent + 2 * 3
            assert harness.value("confluent_cloud_up", collector="api_keys") == 1
            assert harness.exporter.dead_loops() == []
    assert BUG in [entry["event"] for entry in logs if entry["log_level"] == "error"]


class SharingCollector(ToyCollector):
    """Uses an endpoint of another collector, later than that one."""

    endpoints = (API_KEYS,)

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        await host.send(Request(API_KEYS), budget)
        return await super().collect(host, budget, state)


async def test_two_collectors_may_use_one_endpoint() -> None:
    harness = Harness(5, settings="refresh_interval: 1h", faults=[])
    harness.exporter = exporter_with(harness, SharingCollector)
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        harness.simulator.faults.append(parse_fault("403"))
        await harness.clock.sleep(10)
        name = "confluent_cloud_api_error_ratio"
        lines = [each for each in harness.exposition().splitlines() if each.startswith(name)]
        assert lines == [f'{name}{{endpoint="{API_KEYS}",organization="acme"}} 1.0']
