"""From the teams in the configuration to the webhook of each team."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from exporter.clock import SystemClock
from exporter.simulator import (
    Account,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUsage,
    Workload,
)
from tests.programs import TIMEOUT
from tests.prometheus.alertmanager import TEAMS_CONFIG, notified
from tests.prometheus.monitored import monitored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

DAY = 86_400.0
SETTINGS = """\
    usage: {enabled: true, url: '{url}'}
    policy: {unused_for: 3d}
teams:
  - {name: payments, owners: ["sa-pay*"]}
  - {name: core, owners: [sa-core1]}
"""
NAMES = {"sa-pay1": "settlement", "sa-core1": "core-loader", "sa-free1": "report-loader"}
IDLE = "sa-pay1"
VERY_SOON, UNUSED = "ConfluentApiKeysExpiringVerySoon", "ConfluentApiKeysUnused"


def organization(now: float) -> SimulatedOrganization:
    """Return one with a key of each owner, which expires in a day."""
    active = NAMES.keys() - {IDLE}
    found = SimulatedOrganization(
        [SimulatedServiceAccount(*each) for each in NAMES.items()],
        usage=SimulatedUsage(Workload(each, "lkc-1", now - 30 * DAY) for each in sorted(active)),
    )
    for owner in NAMES:
        found.create(
            owner=SimulatedOwner(owner, "service-account"),
            resources=(SimulatedResource("lkc-1", "kafka", "env-1"),),
            now=now - 10 * DAY,
            expires_at=now + DAY,
            description="of a test",
        )
    return found


def test_each_alert_reaches_the_webhook_of_its_team(tmp_path: Path) -> None:
    account = Account("KEY", "SECRET", organization(SystemClock().wall()))
    expires = r"An API key of {} in acme expires in 23h 59m \d+s\. .+"
    unused = (
        "API keys of acme whose owner made no request to their Kafka clusters for 3 days: 1."
        " Owners: {}."
    )
    expected = {
        ("payments", VERY_SOON, "sa-pay1", "payments"): expires.format(
            r'sa-pay1 "settlement" \(team payments\)'
        ),
        ("platform", VERY_SOON, "sa-core1", "core"): expires.format(
            r'sa-core1 "core-loader" \(team core\)'
        ),
        ("platform", VERY_SOON, "sa-free1", None): expires.format('sa-free1 "report-loader"'),
        ("platform", UNUSED, None, None): re.escape(
            unused.format('sa-pay1 "settlement" (team payments)')
        ),
    }
    found: dict[tuple[str, str, str | None, str | None], str] = {}
    with (
        notified(tmp_path, TEAMS_CONFIG) as (receiver, notifications),
        monitored(account, receiver, tmp_path, settings=SETTINGS),
    ):
        while not expected.keys() <= found.keys():
            told = notifications.get(timeout=TIMEOUT)
            for (labels, _), text in zip(told.alerts, told.descriptions, strict=True):
                about = labels.get("owner_id"), labels.get("team")
                found[(told.receiver, labels["alertname"], *about)] = text
    about_keys = {at for at in found if at[1] in {VERY_SOON, UNUSED}}
    assert about_keys == expected.keys()
    for at, pattern in expected.items():
        assert re.fullmatch(pattern, found[at])
