"""A collector needs its own module and a place in the list of collectors, and nothing else."""

# ruff: noqa: ARG002, ARG003 # the protocol names the arguments
from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from exporter.app import Exporter
from exporter.collectors import COLLECTORS
from exporter.exposition import catalogue, part
from exporter.refresh import Outcome, Slice
from exporter.summary import Fact, Summary
from tests.web.browser import browser
from tests.world import World, configuration

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


class ToyCollector:
    name, interval, stale_after = COUNT.collector, 10.0, 30.0
    low_priority, endpoints = True, ("/toy",)
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


async def test_a_collector_is_scheduled_exposed_shown_and_reloaded() -> None:
    world = World(5, names=("acme", "without"))
    world.exporter = Exporter(
        world.config,
        clock=world.clock,
        transport=lambda _: world.wire,
        process_metrics=False,
        collectors=(*COLLECTORS, ToyCollector),
    )
    toy = {"collector": "toy", "organization": "acme"}
    refreshes = "confluent_cloud_exporter_refreshes_total"
    async with world.exporter.running(), browser(world) as client:
        await world.clock.sleep(25)  # collected after 0, 10 and 20 s
        assert world.value("toy_collections") == world.value(refreshes, **toy) == 3
        assert world.value("toy_collections", organization="without") is None
        assert world.value("confluent_cloud_exporter_stale_after_seconds", **toy) == 30
        assert world.value("confluent_cloud_api_requests_total", endpoint="/toy", code="200") == 0
        page = (await client.get("/")).text
        assert "Toy collections" in page
        assert '<th scope="row">toy<' in page
        await world.exporter.reload(
            configuration("policy: {max_age: 1d}", names=("acme", "without"))
        )
        assert world.value("toy_collections") == 3, "its slice survives a reload"
        await world.clock.sleep(15)  # collected again after 0 and 10 s
        assert world.value("toy_collections") == world.value(refreshes, **toy) == 5
