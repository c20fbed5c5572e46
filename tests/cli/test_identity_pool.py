"""What people and Prometheus see of an organization that uses an identity pool, end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator import SimulatedRateLimit
from tests.harness import Harness
from tests.pools import PoolHarness, Subject
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

_EXPIRY = "confluent_cloud_exporter_token_expiry_timestamp_seconds"
_ALL_COLLECTORS = "names: {enabled: true}, quotas: {enabled: true}"


def first_lines(harness: Harness) -> list[str]:
    """Return the first two lines of ``check``."""
    return harness.described().splitlines()[:2]


@pytest.mark.parametrize("subject", ["file", "client"])
async def test_the_expiry_of_the_current_token_is_shown(tmp_path: Path, subject: Subject) -> None:
    harness = PoolHarness(tmp_path, subject=subject)
    assert harness.value(_EXPIRY) is None
    for began, shown in ((EPOCH, "14:28:20"), (EPOCH + 1000, "14:45:00")):
        await harness.exporter.refresh_once()
        assert harness.value(_EXPIRY) == began + 900
        seen, pool = first_lines(harness)
        assert seen.startswith("acme: ok: 25 keys of ")
        assert pool == f"  pool:        pool-0, token valid until 2026-09-21 {shown} UTC"
        await harness.clock.sleep(1000)


async def test_an_api_key_has_no_expiry() -> None:
    harness = Harness()
    await harness.exporter.refresh_once()
    assert harness.value(_EXPIRY) is None
    assert "; own key not seen. The role may hide keys." in first_lines(harness)[0]


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("file", "token_unreadable"),
        ("file", "token_refused"),
        ("client", "identity_provider"),
        ("client", "credentials"),
    ],
)
async def test_each_failure_has_its_reason_and_keeps_the_expiry_of_the_latest_token(
    tmp_path: Path, subject: Subject, reason: str
) -> None:
    harness = PoolHarness(tmp_path, subject=subject, settings=_ALL_COLLECTORS)
    await harness.exporter.refresh_once()
    match reason:
        case "token_unreadable":
            (tmp_path / "token").unlink()
        case "token_refused":
            harness.pools[0].subject = "another"
        case "identity_provider":
            harness.provider.clients["client-0"] = "rotated"
        case "credentials":
            (tmp_path / "secret").unlink()
    await harness.clock.sleep(4000)
    await harness.exporter.refresh_once()
    assert first_lines(harness)[0].startswith(f"acme: failed ({reason}): ")
    failing = {
        dict(labels)["collector"]: dict(labels)["reason"]
        for name, labels in harness.series()
        if name == "confluent_cloud_exporter_refresh_failing"
    }
    assert failing == dict.fromkeys(("api_keys", "names", "quotas"), reason)
    assert harness.value(_EXPIRY) == EPOCH + 900


async def test_an_identity_pool_costs_at_most_the_series_in_the_readme(tmp_path: Path) -> None:
    limit = SimulatedRateLimit(1000, 60)  # whose state has series as well
    counts = []
    for harness in (
        Harness(settings=_ALL_COLLECTORS, rate_limit=limit),
        PoolHarness(tmp_path, subject="client", settings=_ALL_COLLECTORS, rate_limit=limit),
    ):
        await harness.exporter.refresh_once()
        counts.append(len(harness.series()))
    assert 75 < counts[1] - counts[0] <= 100
