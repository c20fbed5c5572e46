from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from exporter.simulator import UNHEARD_KIND, SimulatedOrganization, Spelling, seeded_organization
from exporter.simulator.seed import SHARES, apportion

NOW = datetime(2026, 9, 21, 14, 0, 0, tzinfo=UTC).timestamp()
DAY = 86_400


@pytest.fixture(scope="module")
def organization() -> SimulatedOrganization:
    return seeded_organization(seed=7, keys=1000, now=NOW)


def test_a_thousand_keys_have_the_shares_of_the_table(organization: SimulatedOrganization) -> None:
    kinds = Counter(key.resources[0].kind for key in organization.keys.values())

    assert kinds == {
        "kafka": 605,  # 520 + 55 + 10 + 10 + 10
        "schema-registry": 215,
        "cloud": 70,
        "flink-region": 48,
        "ksql": 33,
        "tableflow": 12,
        "global": 11,
        UNHEARD_KIND: 6,
    }


def test_every_kind_of_owner_has_its_share(organization: SimulatedOrganization) -> None:
    estate = organization.estate
    owners = Counter(
        "internal"
        if key.owner is None
        else "audit"
        if key.owner == estate.audit_account
        else "deactivated"
        if key.owner in estate.deactivated_users
        else key.owner.kind
        for key in organization.keys.values()
    )

    assert owners == {
        "service-account": 860,
        "user": 105,
        "deactivated": 15,
        "internal": 10,
        "audit": 10,
    }


@pytest.mark.parametrize("number", [0, 1, 2, 17, 1200])
def test_there_are_exactly_as_many_keys_as_asked_for(number: int) -> None:
    organization = seeded_organization(seed=1, keys=number, now=NOW)

    assert len(organization) == len(organization.keys) == number


def test_whole_numbers_go_to_the_largest_remainders() -> None:
    # 10 keys at 52 %, 33 % and 15 %: 5.2, 3.3 and 1.5, so that the last one gets the tenth
    assert apportion({("a", ""): 52, ("b", ""): 33, ("c", ""): 15}, 10) == {
        ("a", ""): 5,
        ("b", ""): 3,
        ("c", ""): 2,
    }
    assert sum(SHARES.values()) == 1000


def test_the_same_seed_gives_the_same_organization_and_another_one_does_not() -> None:
    first, again, other = (seeded_organization(seed=seed, keys=200, now=NOW) for seed in (3, 3, 4))

    assert first.id == again.id
    assert first.keys == again.keys
    assert first.estate == again.estate
    assert first.id != other.id
    assert not first.keys.keys() & other.keys.keys()


def test_keys_are_listed_by_id(organization: SimulatedOrganization) -> None:
    assert list(organization.keys) == sorted(organization.keys)


def test_the_audit_log_is_read_on_a_cluster_in_no_environment(
    organization: SimulatedOrganization,
) -> None:
    estate = organization.estate
    audit_keys = [k for k in organization.keys.values() if k.owner == estate.audit_account]

    assert {key.resources for key in audit_keys} == {(estate.audit_cluster,)}
    assert estate.audit_cluster is not None
    assert estate.audit_cluster.environment_id == ""
    assert estate.audit_account not in estate.service_accounts
    assert estate.audit_cluster not in estate.resources


def test_resources_are_those_of_the_estate(organization: SimulatedOrganization) -> None:
    known = {*organization.estate.resources, organization.estate.audit_cluster}
    placed = {
        resource
        for key in organization.keys.values()
        for resource in key.resources
        if resource.kind in {"kafka", "schema-registry", "ksql", "flink-region"}
    }

    assert placed <= known
    assert {resource.environment_id for resource in organization.estate.resources} <= {
        *organization.estate.environments
    }


def test_there_is_everything_that_a_client_has_to_cope_with(
    organization: SimulatedOrganization,
) -> None:
    keys = organization.keys.values()

    assert {key.spelling for key in keys} == set(Spelling)
    assert {None, ""} < {key.display_name for key in keys}
    assert {None, ""} < {key.description for key in keys}
    assert any("\n" in (key.description or "") and '"' in key.description for key in keys)  # type: ignore[operator] # not None if it has a line break
    assert any(not (key.description or "").isascii() for key in keys)
    assert 5 <= sum(len(key.resources) > 1 for key in keys) <= 25
    assert 50 <= sum(key.expires_at is not None for key in keys) <= 110
    assert any(key.expires_at is not None and key.expires_at < NOW for key in keys)
    assert any(key.expires_at is not None and key.expires_at > NOW for key in keys)
    assert any(key.updated_at is None for key in keys)
    assert any(key.created_at % 1 == 0 for key in keys)


def test_no_key_is_from_the_future_or_older_than_the_service(
    organization: SimulatedOrganization,
) -> None:
    ages = [NOW - key.created_at for key in organization.keys.values()]

    assert min(ages) > 0
    assert max(ages) <= 5 * 365 * DAY


def test_some_pairs_have_keys_made_minutes_apart(organization: SimulatedOrganization) -> None:
    by_pair: dict[object, list[float]] = {}
    for key in organization.keys.values():
        if key.owner is not None and key.owner.kind == "service-account":
            by_pair.setdefault((key.owner, key.resources), []).append(key.created_at)
    gaps = [
        later - earlier
        for times in by_pair.values()
        for earlier, later in zip(sorted(times), sorted(times)[1:], strict=False)
    ]

    assert any(60 < gap < 20 * 60 for gap in gaps)


def test_numbers_of_the_estate_can_be_given() -> None:
    organization = seeded_organization(
        seed=1, keys=300, owners=30, clusters=9, environments=3, now=NOW
    )
    estate = organization.estate

    assert len(estate.environments) == 3
    assert len(estate.service_accounts) == 20
    assert len(estate.users) == 10
    assert sum(resource.kind == "kafka" for resource in estate.resources) == 9
    assert sum(resource.kind == "schema-registry" for resource in estate.resources) == 2


@pytest.mark.parametrize("wrong", [{"keys": -1}, {"owners": 0}, {"environments": 0}])
def test_impossible_numbers_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="keys must be 0 or more"):
        seeded_organization(seed=1, now=NOW, **wrong)
