"""The number of series is at most what the documentation says."""

from __future__ import annotations

import pytest

from tests.harness import URL, Harness
from tests.programs import ROOT

FORMULA = "4 × owners + 2 × resources + pairs + environments + violations + 3 × quotas + 600"  # noqa: RUF001 # as people write it


def test_the_formula_is_the_one_in_the_readme() -> None:
    assert FORMULA in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("keys", [0, 60, 1200, 5000])
async def test_a_default_configuration_exposes_at_most_the_documented_series(keys: int) -> None:
    harness = Harness(keys, settings="names: {enabled: true}, quotas: {enabled: true}")
    await harness.exporter.refresh_once()
    await harness.exporter.refresh_once()
    assert all(one.up for one in harness.state.refreshes.values())

    listed = list(harness.organization.keys.values())
    owners = {key.owner for key in listed}
    resources = {one for key in listed for one in key.resources}
    pairs = {(key.owner, one) for key in listed for one in key.resources}
    environments = {one.environment_id for one in resources if one.environment_id}
    findings = len(harness.series("confluent_cloud_api_key_policy_violations"))
    quotas = sum("api_keys" in quota.id for quota in harness.organization.quotas())
    most = (
        4 * len(owners)
        + 2 * len(resources)
        + len(pairs)
        + len(environments)
        + findings
        + 3 * quotas
        + 600
    )
    series = len(harness.series())
    if keys == 1200:  # the example in the README
        assert (round(len(owners), -1), round(series, -2)) == (230, 4000)
    # Not every owner has an expiring key, not every quota a usage; the rest is spent.
    assert most - 2 * len(owners) - 2 * quotas - 200 <= series <= most


async def test_metrics_of_each_key_cost_what_the_readme_says() -> None:
    plain, each = (
        Harness(500, settings=f"per_key_metrics: {wanted}") for wanted in ("false", "true")
    )
    await plain.exporter.refresh_once()
    await each.exporter.refresh_once()
    keys = plain.organization.keys.values()
    more = sum(len(key.resources) + 1 + (key.expires_at is not None) for key in keys)
    assert len(each.series()) - len(plain.series()) == more
    assert more < 3 * len(keys)


async def test_usage_and_teams_cost_what_the_readme_says() -> None:
    more = f"usage: {{enabled: true, url: '{URL}'}}, policy: {{unused_for: 1h}}"
    plain, used = Harness(500), Harness(500, settings=more)
    teams = Harness(500).configured("teams: [{name: people, owners: ['u-*']}]\n")
    for each in (plain, used, teams):
        await each.exporter.refresh_once()
        await each.exporter.refresh_once()
    active = len(used.series("confluent_cloud_owner_last_active_timestamp_seconds"))
    findings = [
        labels
        for _, labels in used.series("confluent_cloud_api_key_policy_violations")
        if ("policy", "unused_for") in labels
    ]
    assert active > 20
    added = len(used.series()) - len(plain.series()) - active - len(findings)
    assert 0 < added <= 150
    owners = {key.owner.id for key in plain.organization.keys.values() if key.owner}
    users = {each for each in owners if each.startswith("u-")}
    assert len(teams.series()) - len(plain.series()) == len(users)
