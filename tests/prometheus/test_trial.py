"""A day of the trial of ``compose.yaml``: its keys come and go without a false alert."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from exporter.cli import arguments
from exporter.exposition import catalogue
from exporter.inventory import OWNER_KINDS, RESOURCE_KINDS
from exporter.simulator import Lifecycle, seeded_organization
from tests.compose_file import command
from tests.prometheus.rule_files import FILES, promtool
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

STEP = 300
"""Seconds between two evaluations."""
STEPS = 86_400 // STEP
FLAGS = arguments.parse(command("simulator"))
TRUE = {"ConfluentApiKeysNewCloudOrGlobalKey"}
"""Such keys do come."""
Series = dict[str, list[float | None]]
"""The value at each step, None where there is none, by what promtool calls the series."""


def test_a_day_of_the_trial_raises_no_false_alert_about_churn(tmp_path: Path) -> None:
    prove_that_fire(TRUE, lived(FLAGS.speed), tmp_path)


def test_the_speed_of_the_demo_would(tmp_path: Path) -> None:
    demo = arguments.parse(["demo"])
    prove_that_fire(TRUE | {"ConfluentApiKeysCreationBurst"}, lived(demo.speed), tmp_path)


def lived(speed: float) -> Series:
    """Return what is exposed of the keys of the trial, at that speed, within a day."""
    organization = seeded_organization(seed=FLAGS.seed, keys=FLAGS.keys, now=EPOCH)
    life = Lifecycle(organization, seed=FLAGS.seed, speed=speed)
    series: Series = defaultdict(lambda: [None] * STEPS)
    created: Counter[tuple[str, str]] = Counter()
    series['up{job="confluent-api-keys"}'] = [1] * STEPS
    before = dict(organization.keys)
    for step in range(STEPS):
        life.advance(step * STEP, wall=EPOCH + step * STEP)
        keys = dict(organization.keys)
        for key in (keys[each] for each in keys.keys() - before.keys()):
            kinds = {each.kind for each in key.resources}
            created.update((key.owner.kind if key.owner else "internal", kind) for kind in kinds)
            if kinds & {"cloud", "global"}:
                at = selector(catalogue.NEW_CLOUD_OR_GLOBAL.name, api_key_id=key.id)
                series[at][step:] = [key.created_at - EPOCH] * (STEPS - step)
        vanished = len(before.keys() - keys.keys())
        series[selector(catalogue.ORGANIZATION_API_KEYS.name)][step] = len(keys)
        series[selector(catalogue.VANISHED.name)][step] = vanished
        series[selector(catalogue.VANISHED_RATIO.name)][step] = vanished / len(before)
        for owner in OWNER_KINDS:
            for kind in RESOURCE_KINDS:
                at = selector(
                    catalogue.API_KEYS_CREATED.name,
                    owner_kind=owner,
                    resource_kind=kind,
                    exempt="false",
                )
                series[at][step] = created[owner, kind]
        before = keys
    return series


def selector(name: str, **labels: str) -> str:
    more = "".join(f', {label}="{value}"' for label, value in labels.items())
    return f'{name}{{job="confluent-api-keys", organization="acme"{more}}}'


def prove_that_fire(alerts: set[str], series: Series, folder: Path) -> None:
    """Let promtool find that of the alerts about churn these fire within the day, and no other."""
    fired = "group by (alertname) (last_over_time(ALERTS{alertstate='firing'}[1d]))"
    case = {
        "interval": f"{STEP}s",
        "input_series": [
            {"series": at, "values": " ".join(map(as_written, values))}
            for at, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": fired,
                "eval_time": f"{(STEPS - 1) * STEP}s",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)
                ],
            }
        ],
    }
    file = folder / "trial.json"  # which is YAML, too
    rules = {"rule_files": [*map(str, FILES)], "evaluation_interval": f"{STEP}s"}
    file.write_text(json.dumps(rules | {"tests": [case]}))
    promtool("test", "rules", file)


def as_written(value: float | None) -> str:
    return "_" if value is None else f"{value:.6f}"
