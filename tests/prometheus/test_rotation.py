"""Days of organizations whose keys are rotated by machines: exempt keys raise no alert."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from structlog.testing import capture_logs

from exporter import config
from exporter.app import Exporter
from exporter.exposition import Format
from exporter.simulator import (
    MACHINES,
    Account,
    Entities,
    Rotation,
    SimulatedCluster,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedResource,
    Simulator,
    machine_of,
)
from tests.harness import URL
from tests.programs import ROOT
from tests.prometheus.rule_files import ALERTS, FILES, GROUPS, promtool, samples_of
from tests.virtual_time import EPOCH, FakeClock, run, unmeasured

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("rotation")]

STEP = 300.0
"""Seconds between two scrapes. There is a refresh and an evaluation at every other."""
DAY = 86_400.0
QUIET, ALL = 2 * DAY, 3.125 * DAY
"""In seconds: the days before somebody creates many keys, and all days."""
MOST = "max_keys_per_owner_and_resource"
BURST, UNFINISHED = "ConfluentApiKeysCreationBurst", "ConfluentApiKeysRotationUnfinished"
READ = {
    *samples_of(ALERTS[BURST]["expr"]),
    *samples_of(ALERTS[UNFINISHED]["expr"]),
    *samples_of(ALERTS["ConfluentApiKeysVisibilityDropped"]["expr"]),
    *samples_of(ALERTS["ConfluentApiKeysInventoryCollapsed"]["expr"]),
    *samples_of(ALERTS["ConfluentApiKeysPastMaxAge"]["expr"]),
}
"""The metrics that are kept: all that these alerts read."""
SAMPLE = re.compile(rf"^({'|'.join(sorted(READ))})\{{(.*)\}} (\S+)$", re.MULTILINE)
EXAMPLES = re.findall(
    r"^```yaml\n(organizations:\n.*?)^```$",
    (ROOT / "docs" / "policy.md").read_text().partition("## Machines that rotate keys")[2],
    re.DOTALL | re.MULTILINE,
)
"""The configurations in the documentation."""
BY_OWNER, BY_RESOURCE, OVERRIDES = (
    yaml.safe_load(example)["organizations"][0]["policy"] for example in EXAMPLES
)
SEEN: dict[str, tuple[str, Mapping[str, Any]]] = {
    "secrets": ("secrets-manager", {}),
    "secrets-exempt": ("secrets-manager", BY_OWNER),
    "leases": ("leases", {}),
    "leases-exempt": ("leases", BY_OWNER),
    "leases-exempt-resources": ("leases", BY_RESOURCE),
    "secrets-overrides": ("secrets-manager", OVERRIDES),
    "leases-overrides": ("leases", OVERRIDES),
}
"""The organizations of the exporter: the machine whose organization each sees, and its policy."""
EVALUATED = {name for name, (_, policy) in SEEN.items() if not policy}
COUNTED = {name for name, (_, policy) in SEEN.items() if "exempt" not in policy}
"""Those in which the keys of the machine count towards a burst."""
Series = dict[str, dict[int, str]]
"""The value at each step, by what promtool calls the series."""


def organization_with(machine: str) -> SimulatedOrganization:
    """Return 50 teams with two keys each, and clusters for the keys of ``machine``."""
    kind = "lease" if machine == "leases" else "team"
    clusters = [SimulatedResource(f"lkc-{kind}{number}", "kafka", "env-1") for number in range(8)]
    organization = SimulatedOrganization(
        [SimulatedCluster(each.id, "kafka", "env-1") for each in clusters],
        id=machine,
        entities=Entities(resources=tuple(clusters)),
    )
    for number in range(100):
        created(organization, f"sa-team{number % 50}", now=EPOCH - DAY)
    return organization


def created(organization: SimulatedOrganization, owner: str, *, now: float) -> None:
    organization.create(
        owner=SimulatedOwner(owner, "service-account"),
        resources=(SimulatedResource("lkc-orders", "kafka", "env-1"),),
        now=now,
        description="of a team",
    )


async def lived() -> Series:
    """Return what is scraped, while somebody creates 40 keys after the quiet days."""
    clock = FakeClock()
    organizations = {name: organization_with(name) for name in MACHINES}
    simulator = Simulator(
        [Account(name, "SECRET", each) for name, each in organizations.items()],
        clock=clock,
        lifecycles=[
            Rotation(each, machine_of(name, each), seed=1, speed=1)
            for name, each in organizations.items()
        ],
    )
    settings = {
        "defaults": {
            "url": URL,
            "refresh_interval": f"{2 * STEP:.0f}s",
            "names": {"enabled": False},
            "quotas": {"enabled": False},
        },
        "organizations": [
            {
                "name": name,
                "credentials": {"api_key": machine, "api_secret_env": "SECRET"},
                "policy": policy,
            }
            for name, (machine, policy) in SEEN.items()
        ],
    }
    exporter = Exporter(
        config.parse(
            json.dumps(settings), file="test", folder=Path(), environ={"SECRET": "SECRET"}
        ),
        clock=clock,
        transport=lambda _: simulator.transport(),
        process_metrics=False,
    )
    series: Series = defaultdict(dict)
    async with exporter.running():
        for step in range(1, int(ALL / STEP)):
            await clock.sleep(STEP)
            if step == QUIET / STEP:
                for organization in organizations.values():
                    for _ in range(40):
                        created(organization, "sa-team0", now=clock.wall())
            text = exporter.exposition.scrape(Format.TEXT, gzip=False).decode()
            series['up{job="confluent-api-keys"}'][step] = "1"
            for name, labels, value in SAMPLE.findall(text):
                series[f'{name}{{job="confluent-api-keys",{labels}}}'][step] = value
    return series


@pytest.fixture(scope="module")
def series() -> Series:
    with unmeasured(), capture_logs():  # rather than print them
        return run(lived())


def fired(end: float, days: str, expected: Mapping[str, set[str]]) -> dict[str, Any]:
    """Return promtool's check of the alerts that fired before ``end``, by organization."""
    return {
        "expr": "group by (alertname, organization) "
        f"(last_over_time(ALERTS{{alertstate='firing'}}[{days}]))",
        "eval_time": f"{end:.0f}s",
        "exp_samples": [
            {"labels": f'{{alertname="{alert}", organization="{name}"}}', "value": 1}
            for alert, names in expected.items()
            for name in names
        ],
    }


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_configuration(example: str) -> None:
    environ = {"CONFLUENT_CLOUD_API_KEY": "KEY", "CONFLUENT_CLOUD_API_SECRET": "SECRET"}
    settings = config.parse(example, file="policy.md", folder=Path(), environ=environ)
    (organization,) = settings.organizations
    policy = organization.policy
    assert policy.exempt.owners or policy.exempt.resources or policy.overrides


def test_the_first_example_exempts_the_owners_of_the_simulated_machines() -> None:
    owners = [owner for owners in MACHINES.values() for owner in owners]
    assert BY_OWNER["exempt"] == {"owners": owners}


def test_the_overrides_match_the_owners_of_the_simulated_machines() -> None:
    secrets, leases = (each["owners"][0] for each in OVERRIDES["overrides"])
    assert all(fnmatchcase(owner, secrets) for owner in MACHINES["secrets-manager"])
    assert all(fnmatchcase(owner, leases) for owner in MACHINES["leases"])


def test_machines_with_the_documented_rules_are_silent_and_people_are_not(
    series: Series, tmp_path: Path
) -> None:
    steps = range(int(ALL / STEP))
    case = {
        "interval": f"{STEP:.0f}s",
        "input_series": [
            {"series": at, "values": " ".join(values.get(step, "_") for step in steps)}
            for at, values in series.items()
        ],
        "promql_expr_test": [
            fired(QUIET, "2d", {BURST: COUNTED, UNFINISHED: EVALUATED}),
            # Of all organizations, within the hours since somebody created 40 keys.
            fired(ALL - STEP, "24h", {BURST: COUNTED, UNFINISHED: set(SEEN)}),
            fired(QUIET + 7200, "2h", {BURST: set(SEEN), UNFINISHED: EVALUATED}),
        ],
    }
    file = tmp_path / "rotation.json"  # which is YAML, too
    rules = {
        "rule_files": [*map(str, FILES)],
        "evaluation_interval": f"{2 * STEP:.0f}s",
        "group_eval_order": [group["name"] for group in GROUPS],
    }
    file.write_text(json.dumps(rules | {"tests": [case]}))
    promtool("test", "rules", file)


def test_keys_of_machines_are_no_findings_but_remain_visible(series: Series) -> None:
    quiet = range(1, int(QUIET / STEP))

    def total(step: int, metric: str, *labels: str) -> float:
        wanted = [each for each in series if each.startswith(metric + "{")]
        return sum(
            float(series[each].get(step, 0))
            for each in wanted
            if all(label in each for label in labels)
        )

    for name, (machine, policy) in SEEN.items():
        organization = f'organization="{name}"'
        found = [
            total(step, "confluent_cloud_api_key_policy_violations", organization, MOST)
            for step in quiet
        ]
        exempt, others = (
            total(quiet[-1], "confluent_cloud_api_keys_created_total", organization, each)
            for each in ('exempt="true"', 'exempt="false"')
        )
        keys = [total(s, "confluent_cloud_organization_api_keys", organization) for s in quiet]
        if name in COUNTED:
            exempt, others = others, exempt
        # 24 secrets are rotated six times per day, and there are 30 leases per hour.
        expected = 12 * 24 if machine == "secrets-manager" else 48 * 30
        assert exempt == pytest.approx(expected, rel=0.1)
        assert others == 0
        assert min(keys) > 100
        assert (max(found) == 0) == bool(policy)
        assert (min(found) > 0) != bool(policy)
