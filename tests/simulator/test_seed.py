from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from exporter.simulator import (
    UNRECOGNIZED_KIND,
    ItemFormat,
    SimulatedOrganization,
    seeded_organization,
)
from exporter.simulator.seed import SHARES, apportion

NOW = datetime(2026, 9, 21, 14, 0, 0, tzinfo=UTC).timestamp()
DAY = 86_400


@pytest.fixture(scope="module")
def organization() -> SimulatedOrganization:
    return seeded_organization(seed=7, keys=1000, now=NOW)


def test_the_shares_of_a_thousand_keys_are_exact(organization: SimulatedOrganization) -> None:
    kinds = Counter(key.resources[0].kind for key in organization.keys.values())

    assert kinds == {
        "kafka": 605,  # 516 + 4 + 55 + 10 + 10 + 10
        "schema-registry": 215,
        "cloud": 70,
        "flink-region": 48,
        "ksql": 33,
        "tableflow": 12,
        "global": 11,
        UNRECOGNIZED_KIND: 6,
    }


def test_the_shares_of_owners_are_exact(organization: SimulatedOrganization) -> None:
    entities = organization.entities
    owners = Counter(
        "internal"
        if key.owner is None
        else "audit"
        if key.owner == entities.audit_account
        else "deactivated"
        if key.owner in entities.deactivated_users
        else "deleted"
        if key.owner in entities.deleted_service_accounts
        else key.owner.kind
        for key in organization.keys.values()
    )

    assert owners == {
        "service-account": 855,
        "user": 105,
        "deleted": 5,
        "deactivated": 15,
        "internal": 10,
        "audit": 10,
    }


@pytest.mark.parametrize("number", [0, 1, 2, 17, 1200])
def test_the_number_of_keys_is_exact(number: int) -> None:
    organization = seeded_organization(seed=1, keys=number, now=NOW)

    assert len(organization.keys) == len(organization.keys) == number


def test_shares_are_rounded_by_largest_remainders() -> None:
    # 10 keys at 52 %, 33 % and 15 %: 5.2, 3.3 and 1.5, so that the last one gets the tenth
    assert apportion({("a", ""): 52, ("b", ""): 33, ("c", ""): 15}, 10) == {
        ("a", ""): 5,
        ("b", ""): 3,
        ("c", ""): 2,
    }
    assert sum(SHARES.values()) == 1000


def test_the_same_seed_gives_the_same_organization() -> None:
    first, again, other = (seeded_organization(seed=seed, keys=200, now=NOW) for seed in (3, 3, 4))

    assert first.id == again.id
    assert first.keys == again.keys
    assert first.entities == again.entities
    assert first.name == again.name
    assert first.service_accounts == again.service_accounts
    assert first.users == again.users
    assert first.environments == again.environments
    assert first.clusters == again.clusters
    assert first.quotas() == again.quotas()
    assert first.id != other.id
    assert not first.keys.keys() & other.keys.keys()


def test_seeded_keys_are_sorted_by_id(organization: SimulatedOrganization) -> None:
    assert list(organization.keys) == sorted(organization.keys)


def test_the_audit_cluster_is_in_no_environment(
    organization: SimulatedOrganization,
) -> None:
    entities = organization.entities
    audit_keys = [k for k in organization.keys.values() if k.owner == entities.audit_account]

    assert {key.resources for key in audit_keys} == {(entities.audit_cluster,)}
    assert entities.audit_cluster is not None
    assert entities.audit_cluster.environment_id == ""
    assert entities.audit_account not in entities.service_accounts
    assert entities.audit_cluster not in entities.resources


def test_keys_use_the_resources_of_the_organization(organization: SimulatedOrganization) -> None:
    known = {*organization.entities.resources, organization.entities.audit_cluster}
    placed = {
        resource
        for key in organization.keys.values()
        for resource in key.resources
        if resource.kind in {"kafka", "schema-registry", "ksql", "flink-region"}
    }

    assert placed <= known
    assert {resource.environment_id for resource in organization.entities.resources} <= {
        *organization.entities.environments
    }


def test_every_variant_of_a_key_occurs(
    organization: SimulatedOrganization,
) -> None:
    keys = organization.keys.values()

    assert {key.item_format for key in keys} == set(ItemFormat)
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


def test_no_key_is_from_the_future_or_older_than_five_years(
    organization: SimulatedOrganization,
) -> None:
    ages = [NOW - key.created_at for key in organization.keys.values()]

    assert min(ages) > 0
    assert max(ages) <= 5 * 365 * DAY


def test_some_pairs_have_keys_created_minutes_apart(organization: SimulatedOrganization) -> None:
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


def ages_of_pairs(organization: SimulatedOrganization) -> list[list[float]]:
    """Return the ages in days of the keys of each owner and first resource, oldest first."""
    pairs: dict[object, list[float]] = {}
    for key in organization.keys.values():
        if key.owner is not None and key.owner != organization.entities.audit_account:
            pairs.setdefault((key.owner, key.resources[0].id), []).append(
                (NOW - key.created_at) / DAY
            )
    return [sorted(ages, reverse=True) for ages in pairs.values()]


def test_a_few_pairs_have_had_three_keys_or_more_for_weeks(
    organization: SimulatedOrganization,
) -> None:
    pairs = ages_of_pairs(organization)
    unfinished = [ages for ages in pairs if len(ages) > 2 and ages[2] > 14]

    assert 5 <= len(unfinished) <= 0.05 * len(pairs)


@pytest.mark.parametrize(
    ("days", "share"),
    # exp(-days / 200) of the permanent keys, which are nine of ten; the others are mostly younger
    [(90, 0.64), (365, 0.16), (730, 0.026)],
)
def test_ages_are_distributed_exponentially(
    organization: SimulatedOrganization, days: int, share: float
) -> None:
    old = sum(NOW - key.created_at > days * DAY for key in organization.keys.values())

    assert 0.6 * share * 1000 < old < 1.3 * share * 1000


def test_some_keys_have_expired_and_some_are_about_to(organization: SimulatedOrganization) -> None:
    # 12, 8 and 60 of 1000; the second keys of rotations are on top, and have expired more rarely.
    left = [
        key.expires_at - NOW for key in organization.keys.values() if key.expires_at is not None
    ]

    assert 8 <= sum(seconds < 0 for seconds in left) <= 18
    assert 5 <= sum(0 < seconds < 14 * DAY for seconds in left) <= 14
    assert 40 <= sum(seconds > 14 * DAY for seconds in left) <= 80


def test_some_keys_have_neither_name_nor_description(organization: SimulatedOrganization) -> None:
    silent = sum(not key.display_name and not key.description for key in organization.keys.values())

    assert 50 <= silent <= 130  # a quarter of about a third


def test_listings_contain_what_keys_refer_to(organization: SimulatedOrganization) -> None:
    entities, unlisted = organization.entities, set()
    for key in organization.keys.values():
        if key.owner is not None:
            listed = {*organization.service_accounts, *organization.users}
            unlisted |= {key.owner} if key.owner.id not in listed else set()
        for resource in key.resources:
            if resource.kind == "flink-region":
                assert resource.id in organization.regions
            elif resource.kind in {"kafka", "schema-registry", "ksql"} and (
                resource != entities.audit_cluster
            ):
                cluster = organization.clusters[resource.id]
                assert (cluster.kind, cluster.environment_id) == (
                    resource.kind,
                    resource.environment_id,
                )
            assert not resource.environment_id or resource.environment_id in (
                organization.environments
            )

    assert unlisted <= {
        *entities.deactivated_users,
        *entities.deleted_service_accounts,
        entities.audit_account,
    }
    assert entities.audit_account in unlisted
    assert unlisted & {*entities.deleted_service_accounts}
    assert entities.audit_cluster is not None
    assert entities.audit_cluster.id not in organization.clusters


def test_deleted_owners_are_not_listed(organization: SimulatedOrganization) -> None:
    entities = organization.entities

    assert list(organization.service_accounts) == sorted(
        owner.id for owner in (*entities.service_accounts, *entities.idle_service_accounts)
    )
    assert list(organization.users) == sorted(
        owner.id for owner in (*entities.users, *entities.idle_users)
    )
    assert list(organization.environments) == sorted(entities.environments)


def test_some_owners_and_clusters_have_no_key(organization: SimulatedOrganization) -> None:
    entities = organization.entities
    owners = {key.owner for key in organization.keys.values()}
    resources = {resource for key in organization.keys.values() for resource in key.resources}

    assert entities.idle_service_accounts
    assert entities.idle_users
    assert entities.idle_clusters
    assert owners.isdisjoint({*entities.idle_service_accounts, *entities.idle_users})
    assert resources.isdisjoint(entities.idle_clusters)
    assert {cluster.id for cluster in entities.idle_clusters} <= organization.clusters.keys()
    assert organization.regions.keys() - {resource.id for resource in resources}


def test_all_environments_but_one_have_a_schema_registry(
    organization: SimulatedOrganization,
) -> None:
    with_registry = {
        cluster.environment_id
        for cluster in organization.clusters.values()
        if cluster.kind == "schema-registry"
    }
    (without,) = organization.environments.keys() - with_registry

    assert organization.environments[without].package == ""
    assert all(organization.environments[place].package for place in with_registry)


def test_a_ksqldb_cluster_runs_on_a_cluster_of_its_environment(
    organization: SimulatedOrganization,
) -> None:
    found = [cluster for cluster in organization.clusters.values() if cluster.kind == "ksql"]

    assert found
    for cluster in found:
        host = organization.clusters[cluster.kafka_cluster_id]
        assert (host.kind, host.environment_id) == ("kafka", cluster.environment_id)
        assert cluster.identity_id in organization.service_accounts


def test_names_are_realistic(organization: SimulatedOrganization) -> None:
    accounts = [account.display_name for account in organization.service_accounts.values()]
    users = list(organization.users.values())
    registries = Counter(
        cluster.name for cluster in organization.clusters.values() if cluster.tier.isupper()
    )

    assert organization.name
    assert len(set(accounts)) == len(accounts)
    assert any('"' in name for name in accounts)
    assert any(not name.isascii() for name in accounts)
    assert {user.email.rpartition("@")[2] for user in users} == {"example.com", "example.org"}
    assert len({user.email for user in users}) == len(users)
    assert 0 < sum(user.full_name is None for user in users) < len(users) / 4
    assert {"prod", "staging", "dev"} <= {e.name for e in organization.environments.values()}
    assert registries.most_common(1)[0][0] == "Stream Governance Package"


@pytest.mark.parametrize(("environments", "owners"), [(1, 1), (80, 2500)])
def test_names_are_unique_for_any_number_of_owners_and_environments(
    environments: int, owners: int
) -> None:
    organization = seeded_organization(
        seed=1, keys=100, owners=owners, environments=environments, clusters=90, now=NOW
    )
    names = [environment.name for environment in organization.environments.values()]

    assert len(set(names)) == environments
    accounts = [account.display_name for account in organization.service_accounts.values()]
    assert len(set(accounts)) == len(accounts) >= owners * 2 // 3


def test_numbers_of_owners_and_resources_can_be_given() -> None:
    organization = seeded_organization(
        seed=1, keys=300, owners=30, clusters=9, environments=3, now=NOW
    )
    entities = organization.entities

    assert len(entities.environments) == 3
    assert len(entities.service_accounts) == 20
    assert len(entities.users) == 10
    assert sum(resource.kind == "kafka" for resource in entities.resources) == 9
    assert sum(resource.kind == "schema-registry" for resource in entities.resources) == 2


@pytest.mark.parametrize("wrong", [{"keys": -1}, {"owners": 0}, {"environments": 0}])
def test_impossible_numbers_are_rejected(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="keys must be 0 or more"):
        seeded_organization(seed=1, now=NOW, **wrong)
