from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.simulator import SimulatedOrganization, Spelling
from tests.simulator.fleet import KAFKA, OWNER, some_keys


def test_keys_are_in_the_order_of_their_ids_however_they_came() -> None:
    first, second, third = some_keys(3)
    organization = SimulatedOrganization([third, first])

    organization.add(second)

    assert list(organization.keys) == ["K001", "K002", "K003"]
    assert organization.key_at(1) is second
    assert [key.id for key in organization.after("K001")] == ["K002", "K003"]
    assert [key.id for key in organization.after("K0015")] == ["K002", "K003"]


def test_a_created_key_has_a_new_id_and_its_time_in_microseconds() -> None:
    organization = SimulatedOrganization(seed=5)

    key = organization.create(owner=OWNER, resources=(KAFKA,), now=1_700_000_000.123456789)

    assert organization.keys == {key.id: key}
    assert key.created_at == key.updated_at == 1_700_000_000.123457
    assert len(key.id) == 16
    twin = SimulatedOrganization(seed=5)
    assert twin.create(owner=OWNER, resources=(KAFKA,), now=0).id == key.id


def test_a_deleted_key_is_gone_and_a_replaced_one_is_another() -> None:
    first, second = some_keys(2)
    organization = SimulatedOrganization([first, second])
    described = replace(second, description="moved")

    assert organization.delete("K001") is first
    organization.replace(described)

    assert organization.keys == {"K002": described}
    assert "K001" not in organization


def test_what_is_not_there_cannot_be_changed_and_what_is_there_not_be_added() -> None:
    (key,) = some_keys(1)
    organization = SimulatedOrganization([key])

    with pytest.raises(ValueError, match="K001 already"):
        organization.add(key)
    with pytest.raises(KeyError):
        organization.delete("K002")
    with pytest.raises(KeyError):
        organization.replace(replace(key, id="K002"))


def test_a_key_tells_the_environment_only_where_its_spelling_does() -> None:
    (key,) = some_keys(1)

    assert key.visible_environment_id(KAFKA) == "env-000001"
    assert replace(key, spelling=Spelling.CRN_ONLY).visible_environment_id(KAFKA) == "env-000001"
    assert replace(key, spelling=Spelling.OLD).visible_environment_id(KAFKA) == ""
    assert replace(key, spelling=Spelling.BARE).visible_environment_id(KAFKA) == ""
