"""The request metrics of organizations that are created again by a reload."""

from __future__ import annotations

from exporter.exposition.instruments import Instruments
from tests.virtual_time import FakeClock

KEYS, QUOTAS = "/iam/v2/api-keys", "/service-quota/v1/scopes"
COUNTER = "confluent_cloud_api_requests_total"


async def test_endpoints_that_are_expected_already_are_not_rendered_again() -> None:
    instruments = Instruments(clock=FakeClock(), process=False)
    metrics = instruments.of("acme", endpoints=[KEYS])
    before, rendered = instruments.versions(), metrics.render()
    assert instruments.of("acme", endpoints=[KEYS]) is metrics
    assert instruments.versions() == before
    assert metrics.render() is rendered
    instruments.of("acme", endpoints=[KEYS, QUOTAS])
    assert instruments.versions() != before
    lines = metrics.render()[COUNTER].plain.decode()
    assert f'{COUNTER}{{code="200",endpoint="{QUOTAS}",organization="acme"}} 0.0\n' in lines


async def test_a_new_organization_is_rendered_before_the_next_scrape() -> None:
    instruments = Instruments(clock=FakeClock(), process=False)
    metrics = instruments.of("acme", endpoints=[KEYS])
    assert b'endpoint="/iam/v2/api-keys"' in metrics.rendered[COUNTER].plain
