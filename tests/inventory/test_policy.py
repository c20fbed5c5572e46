from __future__ import annotations

from collections import Counter

import pytest

from exporter.inventory import (
    Cluster,
    Directory,
    Key,
    Override,
    Owner,
    Resource,
    Rules,
    Usage,
    evaluated_kinds,
    evaluated_policies,
    findings_of,
    with_environments,
)
from exporter.inventory.ages import dates_of, sorted_by_creation
from exporter.inventory.findings import findings_at, policy_inputs_of
from exporter.inventory.usage import Period

NOW = 1_790_000_000.0
DAY = 86_400.0
ANN, BEN = Owner("sa-ann", "service-account"), Owner("sa-ben", "service-account")
ADA = Owner("u-ada", "user")
INTERNAL = Owner("", "internal")
KAFKA = Resource("lkc-1", "kafka", "env-1")
REGISTRY = Resource("lsrc-1", "schema-registry", "env-1")
CLOUD = Resource("cloud", "cloud", "")
AUDIT = Resource("lkc-audit", "kafka", "")
NOBODY = Directory()


def key(
    key_id: str,
    owner: Owner = ANN,
    *resources: Resource,
    age: float | None = 1 * DAY,
    expires_in: float | None = None,
    described: bool = True,
) -> Key:
    return Key(
        key_id,
        owner,
        resources or (KAFKA,),
        created_at=None if age is None else NOW - age,
        expires_at=None if expires_in is None else NOW + expires_in,
        described=described,
    )


def found(
    rules: Rules, *keys: Key, directory: Directory = NOBODY, exempted: bool = False
) -> set[tuple[str, str]]:
    """Return policy and key of each finding."""
    findings = findings_of(keys, rules, directory=directory, usage=Usage(), now=NOW)
    return {(each.policy, each.key.id) for each in findings if each.exempted is exempted}


def test_a_key_is_a_finding_if_older_than_max_age() -> None:
    rules = Rules(max_age=90 * DAY)
    keys = [key("89", age=89 * DAY), key("90", age=90 * DAY), key("90+", age=90 * DAY + 0.001)]
    assert found(rules, *keys, key("?", age=None), key("zero", age=NOW)) == {("max_age", "90+")}


def test_expiring_keys_expire_within_the_threshold() -> None:
    rules = Rules(expires_within=14 * DAY, expired=True)
    keys = [
        key("gone", expires_in=-1),
        key("now", expires_in=0),
        key("soon", expires_in=1),
        key("14", expires_in=14 * DAY),
        key("14+", expires_in=14 * DAY + 1),
        key("never"),
    ]
    assert found(rules, *keys) == {
        ("expired", "gone"),
        ("expired", "now"),
        ("expires_within", "soon"),
        ("expires_within", "14"),
    }


def test_the_oldest_keys_beyond_the_allowed_number_are_the_findings() -> None:
    rules = Rules(max_keys_per_owner_and_resource=2)
    keys = [
        key("new", age=1 * DAY),
        key("mid", age=2 * DAY),
        key("old", age=3 * DAY),
        key("timeless", age=None),
        key("other owner", BEN),
        key("other resource", ANN, CLOUD),
    ]
    policy = "max_keys_per_owner_and_resource"
    assert found(rules, *keys) == {(policy, "old"), (policy, "timeless")}
    assert found(rules, *keys[:2]) == set()


def test_a_key_from_the_future_counts_as_the_oldest() -> None:
    rules = Rules(max_keys_per_owner_and_resource=2)
    keys = [key("new", age=1 * DAY), key("old", age=9 * DAY), key("future", age=-9 * DAY)]
    assert found(rules, *keys) == {("max_keys_per_owner_and_resource", "future")}


def test_an_expiry_in_more_than_a_century_means_never() -> None:
    rules = Rules(expires_within=200 * 365 * DAY)
    keys = [key("99", expires_in=99 * 365 * DAY), key("101", expires_in=101 * 365 * DAY)]
    assert found(rules, *keys) == {("expires_within", "99")}


def test_a_key_for_several_resources_is_one_finding() -> None:
    rules = Rules(max_keys_per_owner_and_resource=1)
    keys = [key("new", ANN, KAFKA, REGISTRY), key("old", ANN, KAFKA, REGISTRY, age=9 * DAY)]
    findings = list(findings_of(keys, rules, directory=NOBODY, usage=Usage(), now=NOW))
    assert [each.key.id for each in findings] == ["old"]


def test_keys_of_users_are_findings() -> None:
    assert found(Rules(user_owned=True), key("A"), key("B", ADA)) == {("user_owned", "B")}


def test_keys_with_neither_name_nor_description_are_findings() -> None:
    assert found(Rules(undescribed=True), key("A"), key("B", described=False)) == {
        ("undescribed", "B")
    }


def test_keys_without_an_owner_are_never_findings() -> None:
    rules = Rules(
        max_age=1, undescribed=True, max_keys_per_owner_and_resource=1, unknown_owner=True
    )
    keys = [key(str(n), INTERNAL, age=99 * DAY, described=False) for n in range(3)]
    assert found(rules, *keys) == set()


LISTED = Directory(
    service_accounts={"sa-ann": "ann"},
    users={"u-ada": "Ada"},
    complete={"service-account": NOW - 60, "user": NOW - 60},
)


def unknown(*keys: Key, directory: Directory = LISTED) -> set[str]:
    rules = Rules(unknown_owner=True)
    return {key_id for _, key_id in found(rules, *keys, directory=directory)}


def test_an_owner_missing_from_a_complete_listing_is_unknown() -> None:
    gone_user = Owner("u-gone", "user")
    assert unknown(key("A"), key("B", BEN), key("C", ADA), key("D", gone_user)) == {"B", "D"}


def test_without_a_complete_listing_no_owner_of_the_kind_is_unknown() -> None:
    accounts_only = Directory(service_accounts={"sa-ann": ""}, complete={"service-account": NOW})
    keys = (key("A", BEN), key("B", Owner("u-gone", "user")), key("here"))
    assert unknown(*keys, directory=accounts_only) == {"A"}
    assert unknown(*keys, directory=Directory()) == set()
    rules, owners = Rules(unknown_owner=True, user_owned=True), {each.owner for each in keys}
    assert evaluated_policies(rules, evaluated_kinds(owners, Directory()), Usage()) == (
        "user_owned",
    )
    assert evaluated_kinds(owners, accounts_only) == ("service-account",)
    assert evaluated_policies(rules, ("service-account",), Usage()) == (
        "user_owned",
        "unknown_owner",
    )


@pytest.mark.parametrize(
    ("periods", "evaluated"),
    [
        ({}, False),
        ({"lkc-1": Period(NOW - 7 * DAY, NOW)}, True),
        ({"lkc-1": Period(NOW - 7 * DAY + 1, NOW)}, False),
        ({"lkc-1": Period(NOW - 6 * DAY, NOW), "lkc-2": Period(NOW - 8 * DAY, NOW)}, True),
        ({"lkc-silent": Period(NOW - 8 * DAY, NOW)}, False),
    ],
)
def test_unused_for_is_evaluated_if_activity_is_known_for_this_time(
    periods: dict[str, Period], *, evaluated: bool
) -> None:
    usage = Usage({("sa-ann", "lkc-1"): NOW, ("sa-ann", "lkc-2"): NOW}, periods)
    names = ("unused_for",) if evaluated else ()
    assert evaluated_policies(Rules(unused_for=7 * DAY), (), usage) == names
    shorter = Override(Rules(unused_for=7 * DAY), owners=("sa-1",))
    assert evaluated_policies(Rules(unused_for=30 * DAY, overrides=(shorter,)), (), usage) == names
    assert evaluated_policies(Rules(overrides=(shorter,)), (), usage) == names


def test_an_owner_younger_than_the_listing_is_not_unknown() -> None:
    # The listing began a minute ago, and the clocks may differ by five.
    here = key("here")
    assert unknown(here, key("A", BEN, age=30)) == set()
    assert unknown(here, key("A", BEN, age=360)) == set()
    assert unknown(here, key("A", BEN, age=None)) == set()
    assert unknown(here, key("A", BEN, age=30), key("B", BEN, age=361)) == {"A", "B"}


def test_a_listing_without_most_owners_is_not_trusted() -> None:
    others = [key(str(n), Owner(f"sa-{n}", "service-account")) for n in range(2)]
    assert unknown(key("here"), others[0]) == {"0"}
    assert unknown(key("here"), *others) == set()
    assert evaluated_kinds([ANN, *(each.owner for each in others)], LISTED) == ("user",)


def test_the_service_account_of_the_audit_log_is_not_unknown() -> None:
    audit = Owner("sa-audit", "service-account")
    assert unknown(key("here"), key("A", audit, AUDIT)) == set()
    assert unknown(key("here"), key("A", audit, AUDIT), key("B", audit, CLOUD)) == {"A", "B"}


def test_a_deleted_account_with_a_key_for_a_listed_cluster_is_unknown() -> None:
    hidden = Resource("lkc-1", "kafka", "")
    listed = Directory(
        service_accounts={"sa-ann": ""},
        clusters={"lkc-1": Cluster("orders", "env-1")},
        complete={"service-account": NOW},
    )
    (placed,) = with_environments([key("A", BEN, hidden)], listed)
    assert placed.resources == (KAFKA,)
    assert unknown(key("here"), placed, directory=listed) == {"A"}


@pytest.mark.parametrize(
    ("exempt", "silenced"),
    [
        ({"exempt_owners": ("sa-ann",)}, {"A", "B"}),
        ({"exempt_owners": ("sa-*",)}, {"A", "B", "C"}),
        ({"exempt_owners": ("sa-a?n", "u-*")}, {"A", "B"}),
        ({"exempt_owners": ("SA-ANN",)}, set()),
        ({"exempt_api_keys": ("[BC]",)}, {"B", "C"}),
        ({"exempt_resources": ("lkc-*",)}, {"A", "C"}),  # B opens something else too
        ({"exempt_resources": ("lkc-*", "cloud")}, {"A", "B", "C"}),
        ({}, set()),
    ],
)
def test_exempt_keys_are_counted_separately(
    exempt: dict[str, tuple[str, ...]], silenced: set[str]
) -> None:
    rules = Rules(max_age=DAY / 2, **exempt)  # type: ignore[arg-type]
    keys = (key("A"), key("B", ANN, KAFKA, CLOUD), key("C", BEN))
    assert {k for _, k in found(rules, *keys, exempted=True)} == silenced
    assert {k for _, k in found(rules, *keys)} == {"A", "B", "C"} - silenced


def test_findings_are_counted_by_policy_and_owner() -> None:
    rules = Rules(max_age=DAY / 2, user_owned=True, exempt_api_keys=("D",))
    keys = [key("A"), key("B"), key("C", ADA), key("D", ADA)]
    ordered = sorted_by_creation(keys, now=NOW)
    dates = dates_of(ordered, now=NOW)
    policy_inputs = policy_inputs_of(
        ordered, dates, rules, directory=NOBODY, usage=Usage(), now=NOW
    )
    counted = findings_at(policy_inputs, now=NOW)
    assert counted.by_owner == {("max_age", ANN): 2, ("max_age", ADA): 1, ("user_owned", ADA): 1}
    assert counted.exempted == Counter({"max_age": 1, "user_owned": 1})


def test_disabled_policies_are_not_active() -> None:
    assert Rules().active() == ()
    assert Rules(max_age=1, expired=True).active() == ("max_age", "expired")
