from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.simulator import (
    ItemFormat,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedOrganization,
    SimulatedUser,
)
from tests.simulator.helpers import KAFKA, OWNER, small_listing, some_keys


def test_keys_are_sorted_by_id() -> None:
    first, second, third = some_keys(3)
    organization = SimulatedOrganization([third, first])

    organization.add(second)

    assert list(organization.keys) == ["K001", "K002", "K003"]
    assert organization.keys.at(1) is second
    assert [key.id for key in organization.keys.after("K001")] == ["K002", "K003"]
    assert [key.id for key in organization.keys.after("K0015")] == ["K002", "K003"]


def test_a_created_key_has_a_new_id_and_microsecond_timestamps() -> None:
    organization = SimulatedOrganization(seed=5)

    key = organization.create(owner=OWNER, resources=(KAFKA,), now=1_700_000_000.123456789)

    assert organization.keys == {key.id: key}
    assert key.created_at == key.updated_at == 1_700_000_000.123457
    assert len(key.id) == 16
    twin = SimulatedOrganization(seed=5)
    assert twin.create(owner=OWNER, resources=(KAFKA,), now=0).id == key.id


def test_keys_can_be_deleted_and_replaced() -> None:
    first, second = some_keys(2)
    organization = SimulatedOrganization([first, second])
    described = replace(second, description="moved")

    assert organization.delete("K001") is first
    organization.replace(described)

    assert organization.keys == {"K002": described}
    assert "K001" not in organization.keys


def test_missing_keys_cannot_be_changed_and_existing_ones_not_added() -> None:
    (key,) = some_keys(1)
    organization = SimulatedOrganization([key])

    with pytest.raises(ValueError, match="K001 already"):
        organization.add(key)
    with pytest.raises(KeyError):
        organization.delete("K002")
    with pytest.raises(KeyError):
        organization.replace(replace(key, id="K002"))


def test_the_format_determines_whether_the_environment_is_visible() -> None:
    (key,) = some_keys(1)

    assert key.visible_environment_id(KAFKA) == "env-000001"
    assert (
        replace(key, item_format=ItemFormat.CRN_ONLY).visible_environment_id(KAFKA) == "env-000001"
    )
    assert replace(key, item_format=ItemFormat.LEGACY).visible_environment_id(KAFKA) == ""
    assert replace(key, item_format=ItemFormat.MINIMAL).visible_environment_id(KAFKA) == ""


def test_an_environment_is_removed_with_its_clusters_and_nothing_else() -> None:
    organization = SimulatedOrganization([*some_keys(1), *small_listing()])
    before = organization.records()

    organization.remove_environment("env-1")

    assert list(organization.environments) == ["env-2"]
    assert list(organization.clusters) == ["lkc-2"]
    assert len(before) - len(organization.records()) == 4  # the environment and three clusters
    with pytest.raises(KeyError):
        organization.remove_environment("env-1")


def test_ids_are_unique_within_a_kind_of_record() -> None:
    organization = SimulatedOrganization(
        [SimulatedUser("x", "x@example.com"), SimulatedEnvironment("x", "x")]
    )

    organization.add(SimulatedCluster("x", "kafka", "x"))

    with pytest.raises(ValueError, match="x already exists"):
        organization.add(SimulatedUser("x", "y@example.com"))
