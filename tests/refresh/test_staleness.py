"""Counts do not become stale while refreshes succeed, in any valid configuration."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import httpx
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from exporter.errors import ConfigurationError
from exporter.simulator import APPLIED_QUOTAS_PATH
from tests import virtual_time
from tests.harness import Harness

if TYPE_CHECKING:
    from collections.abc import Sequence

TOTAL = "confluent_cloud_organization_api_keys"
REFRESHES = 5
_SECONDS = st.integers(1, 100)
_DEFAULTS = st.fixed_dictionaries(
    {"refresh_interval": _SECONDS},
    optional={"refresh_timeout": _SECONDS, "stale_after": st.integers(1, 300)},
)
_OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "refresh_interval": _SECONDS,
        "refresh_timeout": _SECONDS,
        "stale_after": st.integers(1, 300),
    },
)


async def shown_before_each_later_refresh(
    defaults: dict[str, int], overrides: dict[str, int], shares: Sequence[float]
) -> list[float | None]:
    """Return the count just before each refresh except the first is published.

    ``shares``: the durations of the responses, as shares of the refresh_timeout.
    """
    both = defaults | overrides
    timeout = both.get("refresh_timeout", both["refresh_interval"])
    harness = Harness(
        5,
        settings=", ".join(f"{name}: {value}s" for name, value in defaults.items()),
    )
    harness.configured(
        "".join(f"    {name}: {value}s\n" for name, value in overrides.items())
        + f"    request_timeout: {timeout}s\n"
    )
    for number, share in zip(range(1, REFRESHES + 1), shares, strict=True):
        harness.simulator.script(number, f"slow:{int(share * timeout * 1000)}ms")
    shown: list[float | None] = []

    def look(answered: int) -> None:
        if 1 < answered <= REFRESHES:
            shown.append(harness.value(TOTAL))

    harness.meanwhile(look)
    async with harness.exporter.running():
        await harness.clock.sleep(REFRESHES * (both["refresh_interval"] + timeout))
    return shown


@settings(deadline=None, max_examples=25)
@example({"refresh_interval": 1, "refresh_timeout": 20}, {}, [0.75] * REFRESHES)
@example({"refresh_interval": 60}, {"refresh_timeout": 90}, [0.99] * REFRESHES)
@example({"stale_after": 40, "refresh_interval": 60}, {"refresh_interval": 20}, [0.99] * REFRESHES)
@given(
    _DEFAULTS,
    _OVERRIDES,
    st.lists(st.floats(0, 0.99), min_size=REFRESHES, max_size=REFRESHES),
)
def test_fresh_counts_are_exposed_in_every_valid_configuration(
    defaults: dict[str, int], overrides: dict[str, int], shares: list[float]
) -> None:
    try:
        shown = virtual_time.run(shown_before_each_later_refresh(defaults, overrides, shares))
    except ConfigurationError:
        assume(False)
    assert shown == [5] * (REFRESHES - 1)


async def test_a_scope_that_keeps_failing_does_not_hide_other_quotas() -> None:
    harness = Harness(50, settings="quotas: {enabled: true, refresh_interval: 15m}")
    inner, failing = harness.wire, set[str]()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("scope", "").lower() in failing:
            return httpx.Response(403, stream=httpx.ByteStream(b"{}"))
        return await inner.handle_async_request(request)

    def shown() -> dict[str, int]:
        return Counter(
            dict(labels)["scope"] for (_, labels) in harness.series("confluent_cloud_quota_limit")
        )

    harness.wire = httpx.MockTransport(answer)
    harness.configured()
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        everything = shown()
        assert {"organization", "kafka_cluster"} <= everything.keys()
        failing.add("kafka_cluster")
        await harness.clock.sleep(29 * 60)
        assert shown() == everything
        await harness.clock.sleep(15 * 60)  # its remaining rows would be stale
        del everything["kafka_cluster"]
        assert shown() == everything
        await harness.clock.sleep(10 * 3600)
        assert shown() == everything
        failing.clear()
        await harness.clock.sleep(17 * 60)
        assert "kafka_cluster" in shown()


async def test_a_scope_that_fails_from_the_start_does_not_hide_other_quotas() -> None:
    harness = Harness(50, settings="quotas: {enabled: true}")
    harness.simulator.script(1, "403", path=APPLIED_QUOTAS_PATH)
    await harness.exporter.refresh_once()
    assert harness.values("confluent_cloud_quota_limit", "scope")
    assert harness.value("confluent_cloud_up", collector="quotas") == 0


async def test_counts_of_a_listing_longer_than_three_intervals_are_exposed() -> None:
    defaults = {"refresh_interval": 1, "refresh_timeout": 20}
    assert await shown_before_each_later_refresh(defaults, {}, [0.25] * REFRESHES) == [5] * 4
