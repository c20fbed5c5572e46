"""An exposition does not depend on its history, only on the current state."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.collectors import COLLECTORS
from exporter.collectors.api_keys import ApiKeysState
from exporter.collectors.api_keys.state import with_inventory
from exporter.collectors.quotas import Quota, QuotasState
from exporter.exposition import Exposition, Format, Instruments
from exporter.inventory import Directory, FoldSettings, Key, Owner, Resource, Usage
from exporter.refresh import OrganizationState, RefreshStatus
from tests import virtual_time
from tests.harness import configuration
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/iam/v2/api-keys"
STALE_AFTER = 900.0
KAFKA = Resource("lkc-1", "kafka", "env-1")
LISTED = [
    with_inventory(
        ApiKeysState(
            keys={
                str(number): Key(
                    str(number), Owner(f"sa-{number % 70}", "service-account"), (KAFKA,)
                )
                for number in range(keys)
            },
            listing_count=1,
        ),
        FoldSettings(1000),
        Directory(),
        Usage(),
        now=EPOCH,
    )
    for keys in (3, 300)
]
METRICS = [metric for each in COLLECTORS for metric in each.metrics]
WHAT = st.sampled_from(["publish", "request", "forget", "sleep", "scrape"])
STEPS = st.lists(st.tuples(WHAT, st.sampled_from("abc"), st.integers(0, 3)), max_size=12)


def state(name: str, *, at: float, refreshes: int) -> OrganizationState:
    """Return a state; those of odd ``refreshes`` share the larger inventory."""
    quota = Quota("iam.max_cloud_api_keys.per_org", "organization", 10, None, "", "", "")
    return OrganizationState(
        name,
        {"api_keys": RefreshStatus(finished=EPOCH + at, succeeded=EPOCH, refreshes=refreshes)},
        {
            "api_keys": replace(LISTED[refreshes % 2], listing_began=at),
            "quotas": QuotasState((quota,), fresh_until=at + STALE_AFTER / 2),
        },
    )


class Served:
    """An exposition, and the state from which a new one must serve the same."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.instruments = Instruments(clock=self.clock, process=False)
        (organization,) = configuration("quotas: {enabled: true}").organizations
        created = [each.create(organization, clock=self.clock) for each in COLLECTORS]
        self.renderers = [each for each in created if each is not None]
        self.exposition = self.new_exposition()
        self.states: dict[str, OrganizationState] = {}

    def new_exposition(self) -> Exposition:
        return Exposition(clock=self.clock, instruments=self.instruments, metrics=METRICS)

    async def publish(self, name: str, *, refreshes: int = 1) -> None:
        self.states[name] = state(name, at=self.clock.monotonic(), refreshes=refreshes)
        await self.exposition.publish(self.states[name], self.renderers)

    def request(self, name: str) -> None:
        self.instruments.of(name, endpoints=[PATH]).request_ended(PATH, 200, 0.1)

    def forget(self, name: str) -> None:
        self.states.pop(name, None)
        self.instruments.forget(name)
        self.exposition.retain(self.states)

    async def compare(self) -> None:
        another = self.new_exposition()
        for each in self.states.values():
            await another.publish(each, self.renderers)
        for form in Format:
            expected = another.scrape(form, gzip=False)
            assert self.exposition.scrape(form, gzip=False) == expected
            assert gzip.decompress(self.exposition.scrape(form, gzip=True)) == expected

    def lines(self, name: str) -> list[str]:
        text = self.exposition.scrape(Format.TEXT, gzip=False).decode()
        return [line for line in text.splitlines() if f'organization="{name}"' in line]


@settings(deadline=None)
@given(STEPS)
def test_an_exposition_equals_a_new_one_after_any_steps(
    steps: Sequence[tuple[str, str, int]],
) -> None:
    async def serve() -> None:
        served = Served()
        for what, name, number in steps:
            match what:
                case "publish":
                    await served.publish(name, refreshes=number)
                case "request":
                    served.request(name)
                case "forget":
                    served.forget(name)
                case "sleep":
                    await served.clock.sleep(number * STALE_AFTER / 4)
                case _:
                    await served.compare()
        await served.compare()

    virtual_time.run(serve())


async def test_stale_and_removed_organizations_disappear_after_a_scrape() -> None:
    served = Served()
    await served.publish("a")
    await served.publish("b")
    total = 'confluent_cloud_organization_api_keys{organization="a"} 300.0'
    assert total in served.lines("a")
    await served.clock.sleep(STALE_AFTER - 1)
    await served.publish("b")
    assert total in served.lines("a")
    await served.clock.sleep(1)
    assert total not in served.lines("a")
    assert total.replace('"a"', '"b"') in served.lines("b")
    served.forget("b")
    assert served.lines("b") == []
    assert served.lines("a")


async def test_an_organization_added_after_a_scrape_is_exposed() -> None:
    served = Served()
    assert served.lines("a") == []
    served.exposition.begin(state("a", at=0, refreshes=0), served.renderers)
    assert 'confluent_cloud_organization_api_keys{organization="a"} 3.0' in served.lines("a")


async def test_a_request_is_counted_in_the_next_scrape() -> None:
    served = Served()
    await served.publish("a")
    count = f'confluent_cloud_api_requests_total{{code="200",endpoint="{PATH}",organization="a"}}'
    for number in (1, 2):
        served.request("a")
        assert f"{count} {number}.0" in served.lines("a")


async def test_organizations_are_ordered_by_name() -> None:
    served = Served()
    for name in "cab":
        served.request(name)
        await served.publish(name)
    lines = served.exposition.scrape(Format.TEXT, gzip=False).decode().splitlines()
    for family in ("confluent_cloud_up{", 'confluent_cloud_api_requests_total{code="200"'):
        order = [line.split('organization="')[1][0] for line in lines if line.startswith(family)]
        assert order == ["a", "b", "c"]
