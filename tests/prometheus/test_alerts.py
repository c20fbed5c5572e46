"""From what happens in Confluent Cloud to what a real Alertmanager is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from exporter.clock import SystemClock
from exporter.simulator import (
    CLOUD,
    Account,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedResource,
    seeded_organization,
)
from exporter.version import PROJECT_URL
from tests.programs import ROOT, eventually
from tests.prometheus.alertmanager import Alert, Alertmanager, alertmanager
from tests.prometheus.monitored import EXTERNAL_URL, monitored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.prometheus.server import Prometheus

pytestmark = pytest.mark.integration

DAY = 86_400.0
OWNER = SimulatedOwner("sa-ann", "service-account")
KAFKA = (SimulatedResource("lkc-1", "kafka", "env-1"),)


@dataclass
class Scene:
    """All of it: a Confluent Cloud, its exporter, Prometheus with our rules, Alertmanager."""

    account: Account
    organization: SimulatedOrganization
    prometheus: Prometheus
    alertmanager: Alertmanager

    def create(self, count: int, *, age: float) -> None:
        for _ in range(count):
            self.organization.create(
                owner=OWNER, resources=KAFKA, now=SystemClock().wall() - age, description="mine"
            )


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    organization = seeded_organization(seed=3, keys=0, now=SystemClock().wall())
    account = Account("KEY", "SECRET", organization)
    with (
        alertmanager(ROOT / "alertmanager" / "alertmanager.yml", tmp_path) as receiver,
        monitored(account, receiver, tmp_path, settings="    policy: {max_age: 30d}\n") as server,
    ):
        yield Scene(account, organization, server, receiver)


def test_what_happens_is_alerted_with_what_helps(scene: Scene) -> None:
    """One story, since each of its programs takes a moment to start."""
    # A key passes the age limit, which is 30 days.
    scene.create(4, age=30 * DAY - 8)
    scene.prometheus.becomes("confluent_cloud_organization_api_keys", 4)
    assert scene.alertmanager.alerts("ConfluentApiKeysPastMaxAge") == []
    told(
        scene.alertmanager.gets("ConfluentApiKeysPastMaxAge", organization="acme"),
        severity="warning",
        summary="API keys are older than the policy allows.",
        description="API keys of acme older than 30 days: 4. Owners: sa-ann.",
        keys_url=f"{EXTERNAL_URL}/keys?organization=acme&policy=max_age&sort=-age",
    )

    # A burst of keys is created.
    assert scene.alertmanager.alerts("ConfluentApiKeysCreationBurst") == []
    scene.create(25, age=0)
    burst = scene.alertmanager.gets("ConfluentApiKeysCreationBurst", organization="acme")
    assert re.match(
        r"About \d+ API keys were created in acme in the last hour",
        burst.annotations["description"],
    )
    told(burst, severity="warning", summary="An unusual number of API keys was created.")

    # Two Cloud keys are created, the second while the alert for the first fires.
    for number in (1, 2):
        assert len(scene.alertmanager.alerts("ConfluentApiKeysNewCloudOrGlobalKey")) == number - 1
        key = scene.organization.create(
            owner=OWNER, resources=(CLOUD,), now=SystemClock().wall(), description="mine"
        )
        powerful = scene.alertmanager.gets(
            "ConfluentApiKeysNewCloudOrGlobalKey", organization="acme", api_key_id=key.id
        )
        told(
            powerful,
            severity="info",
            summary="A Cloud or Global API key was created.",
            keys_url=f"{EXTERNAL_URL}/keys?organization=acme&api_key={key.id}",
        )
        assert re.fullmatch(
            rf"API key {key.id} of sa-ann was created in acme \S+ ago\."
            r" Its resource kind is cloud\.",
            powerful.annotations["description"],
        )

    # The credentials are revoked. The alerts that follow from this are inhibited.
    assert scene.alertmanager.alerts("ConfluentApiKeysCredentialsRejected") == []
    scene.account.api_secret = "another"
    rejected = scene.alertmanager.gets("ConfluentApiKeysCredentialsRejected", organization="acme")
    told(
        rejected,
        severity="critical",
        summary="The exporter's credentials for an organization are rejected or unavailable.",
    )
    assert rejected.annotations["description"].endswith("Reason: unauthorized.")
    failing = {"organization": "acme", "collector": "api_keys"}
    scene.alertmanager.gets("ConfluentApiKeysRefreshFailing", **failing)
    eventually(
        lambda: scene.alertmanager.gets("ConfluentApiKeysRefreshFailing", **failing).inhibited,
        what="the consequence is inhibited",
    )

    # They are restored, and the alert is over.
    scene.account.api_secret = "SECRET"
    scene.prometheus.becomes('confluent_cloud_up{organization="acme",collector="api_keys"}', 1)
    scene.prometheus.becomes(
        'count(ALERTS{alertname="ConfluentApiKeysCredentialsRejected"}) or vector(0)', 0
    )


def told(alert: Alert, **expected: str) -> None:
    """Check what an alert says, and that its runbook is in the repository."""
    said = alert.annotations | {"severity": alert.labels["severity"]}
    assert {key: said[key] for key in expected} == expected
    runbook = alert.annotations["runbook_url"]
    assert runbook == f"{PROJECT_URL}/docs/runbooks/{alert.labels['alertname']}.md"
    assert (ROOT / runbook.removeprefix(f"{PROJECT_URL}/")).exists()
