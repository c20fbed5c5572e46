from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from exporter.inventory import (
    Directory,
    FoldSettings,
    Inventory,
    Key,
    Owner,
    Resource,
    churn,
    with_environments,
)
from exporter.inventory import fold as fold_placed

if TYPE_CHECKING:
    from collections.abc import Iterable

ANN, BOB = Owner("sa-ann", "service-account"), Owner("u-bob", "user")
INTERNAL = Owner("", "internal")
KAFKA = Resource("lkc-1", "kafka", "env-1")
KAFKA_ANYWHERE = Resource("lkc-1", "kafka", "")
REGISTRY = Resource("lsrc-1", "schema-registry", "env-1")
CLOUD = Resource("cloud", "cloud", "")
OTHER = (Owner("other", "other"), Resource("other", "other", ""))


def fold(keys: Iterable[Key], *, max_pairs: int) -> Inventory:
    placed = with_environments(list(keys), Directory())
    return fold_placed(placed, FoldSettings(max_pairs), now=1_790_000_000)


def counts(inventory: Inventory) -> tuple[object, ...]:
    return (
        inventory.total,
        dict(inventory.owners),
        dict(inventory.resources),
        dict(inventory.pairs),
    )


def test_a_key_for_several_resources_counts_once_for_its_owner_and_once_per_resource() -> None:
    keys = [
        Key("A", ANN, (KAFKA, REGISTRY)),
        Key("B", ANN, (KAFKA,)),
        Key("C", BOB, (CLOUD,)),
        Key("D", INTERNAL, (KAFKA,)),
    ]
    assert counts(fold(keys, max_pairs=100)) == (
        4,
        {ANN: 2, BOB: 1, INTERNAL: 1},
        {KAFKA: 3, REGISTRY: 1, CLOUD: 1},
        {
            (ANN, KAFKA): 2,
            (ANN, REGISTRY): 1,
            (BOB, CLOUD): 1,
            (INTERNAL, KAFKA): 1,
        },
    )


def test_an_inventory_without_keys_counts_zero() -> None:
    assert counts(fold([], max_pairs=100)) == (0, {}, {}, {})


def test_a_cluster_is_one_resource_even_if_only_one_key_has_its_environment() -> None:
    keys = [Key("A", ANN, (KAFKA_ANYWHERE,)), Key("B", BOB, (KAFKA,))]
    assert dict(fold(keys, max_pairs=100).resources) == {KAFKA: 2}


def test_only_clusters_take_their_environment_from_other_keys() -> None:
    here, anywhere = Resource("x", "moonbase", "env-1"), Resource("x", "moonbase", "")
    keys = [Key("A", ANN, (here,)), Key("B", ANN, (anywhere,))]
    assert dict(fold(keys, max_pairs=100).resources) == {here: 1, anywhere: 1}


def test_the_smallest_pairs_collapse_without_changing_sums() -> None:
    keys = [
        Key("A", ANN, (KAFKA,)),
        Key("B", ANN, (KAFKA,)),
        Key("C", ANN, (REGISTRY,)),
        Key("D", BOB, (KAFKA,)),
        Key("E", BOB, (CLOUD,)),
    ]
    inventory = fold(keys, max_pairs=2)
    assert dict(inventory.pairs) == {(ANN, KAFKA): 2, (ANN, REGISTRY): 1, OTHER: 2}
    assert inventory.collapsed_pairs == 2
    assert sum(inventory.pairs.values()) == 5
    assert (inventory.total, dict(inventory.owners)) == (5, {ANN: 3, BOB: 2})


def test_ties_do_not_depend_on_the_order_of_the_listing() -> None:
    keys = [Key(str(n), ANN, (Resource(f"lkc-{n}", "kafka", ""),)) for n in range(10)]
    assert fold(keys, max_pairs=3).pairs == fold(keys[::-1], max_pairs=3).pairs


def test_churn_compares_keys_by_id() -> None:
    def of(*ids: str) -> dict[str, Key]:
        return {key_id: Key(key_id, ANN, (KAFKA,)) for key_id in ids}

    moved = churn(of("A", "B", "C"), {**of("C", "D"), "A": Key("A", BOB, (CLOUD,))}, since=0.0)
    assert [key.id for key in moved.created] == ["D"]
    assert [key.id for key in moved.deleted] == ["B"]


def test_owners_by_kind() -> None:
    keys = [Key("A", ANN, (KAFKA,)), Key("B", BOB, (KAFKA,)), Key("C", Owner("u-2", "user"), ())]
    assert fold(keys, max_pairs=9).owners_by_kind == {"user": 2, "service-account": 1}


_OWNERS = st.sampled_from([ANN, BOB, INTERNAL])
_RESOURCES = st.lists(
    st.sampled_from([KAFKA, REGISTRY, CLOUD]), min_size=1, max_size=3, unique=True
).map(tuple)


@given(st.lists(st.tuples(_OWNERS, _RESOURCES)), st.integers(1, 10))
def test_counting_identities(drawn: list[tuple[Owner, tuple[Resource, ...]]], most: int) -> None:
    keys = [Key(str(n), owner, resources) for n, (owner, resources) in enumerate(drawn)]
    inventory = fold(keys, max_pairs=most)
    incidences = sum(len(resources) for _, resources in drawn)
    assert inventory.total == len(drawn) == sum(inventory.owners.values())
    assert sum(inventory.resources.values()) == incidences
    assert sum(inventory.pairs.values()) == incidences
    assert inventory.owners == Counter(owner for owner, _ in drawn)
    assert len(inventory.pairs) <= most + 1
