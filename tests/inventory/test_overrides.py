"""Rules that differ for some keys: by hand, and compared with an evaluation of each key alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fnmatch import fnmatchcase
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from exporter.inventory import (
    Directory,
    FoldSettings,
    Key,
    Override,
    Owner,
    Resource,
    Rules,
    Usage,
    fold,
)
from exporter.inventory.usage import Period

NOW = 1_790_000_000.0
DAY = 86_400.0
ANN, BEN = Owner("sa-ann", "service-account"), Owner("sa-ben", "service-account")
ADA, GONE = Owner("u-ada", "user"), Owner("sa-gone", "service-account")
INTERNAL = Owner("", "internal")
KAFKA, OTHER = Resource("lkc-1", "kafka", "env-1"), Resource("lkc-2", "kafka", "env-1")
CLOUD = Resource("cloud", "cloud", "")
LISTED = Directory(
    service_accounts={"sa-ann": "ann", "sa-ben": "ben"},
    users={"u-ada": "Ada"},
    complete={"service-account": NOW, "user": NOW},
)
SURPLUS = "max_keys_per_owner_and_resource"


def key(
    key_id: str, owner: Owner, *resources: Resource, days: float, described: bool = True
) -> Key:
    return Key(key_id, owner, resources or (KAFKA,), NOW - days * DAY, described=described)


def found(rules: Rules, *keys: Key) -> dict[tuple[str, str], int]:
    """Return the number of findings by policy and owner."""
    inventory = fold(keys, FoldSettings(100, rules), now=NOW, directory=LISTED)
    return {(policy, owner.id): n for (policy, owner), n in inventory.findings.by_owner.items()}


def test_the_first_override_that_matches_applies() -> None:
    base = Rules(max_age=90 * DAY)
    rules = replace(
        base,
        overrides=(
            Override(Rules(max_age=10 * DAY), owners=("sa-b*",), resources=("lkc-1",)),
            Override(Rules(max_age=30 * DAY), owners=("sa-*",)),
            Override(Rules(max_age=1 * DAY), owners=("sa-ann",)),
        ),
    )
    keys = [
        key("10", BEN, days=20),  # older than 10 days
        key("30", BEN, OTHER, days=20),  # another resource: 30 days
        key("both", BEN, KAFKA, OTHER, days=20),  # not all of its resources match: 30 days
        key("ann", ANN, days=20),  # 30 days, not the one day of the later override
        key("old", ANN, days=31),
        key("ada", ADA, days=89),  # no override
    ]
    assert found(rules, *keys) == {("max_age", "sa-ben"): 1, ("max_age", "sa-ann"): 1}


def test_the_keys_of_one_owner_with_different_rules_are_added_up() -> None:
    rules = Rules(
        max_age=90 * DAY, overrides=(Override(Rules(max_age=5 * DAY), resources=("cloud",)),)
    )
    keys = [key("A", ANN, days=91), key("B", ANN, CLOUD, days=6), key("C", ANN, days=6)]
    assert found(rules, *keys) == {("max_age", "sa-ann"): 2}


def test_null_switches_a_rule_off() -> None:
    every = Rules(max_age=DAY, undescribed=True, user_owned=True)
    rules = replace(every, overrides=(Override(Rules(max_age=DAY), owners=("u-*",)),))
    keys = [key("A", ADA, days=2, described=False), key("B", ANN, days=2, described=False)]
    assert found(rules, *keys) == {
        ("max_age", "u-ada"): 1,
        ("max_age", "sa-ann"): 1,
        ("undescribed", "sa-ann"): 1,
    }


def test_each_key_is_compared_with_its_own_limit_but_all_keys_of_the_pair_count() -> None:
    # Ben's five keys for lkc-1, the newest first. Those for both resources may be 4, the others 2.
    rules = Rules(
        max_keys_per_owner_and_resource=4,
        overrides=(Override(Rules(max_keys_per_owner_and_resource=2), resources=("lkc-1",)),),
    )
    keys = [
        key("1st", BEN, days=1),
        key("2nd", BEN, KAFKA, OTHER, days=2),
        key("3rd", BEN, KAFKA, OTHER, days=3),  # the third of four
        key("4th", BEN, days=4),  # the fourth of two
        key("5th", BEN, KAFKA, OTHER, days=5),  # the fifth of four
    ]
    assert found(rules, *keys[:3]) == {}
    assert found(rules, *keys[:4]) == {(SURPLUS, "sa-ben"): 1}
    assert found(rules, *keys) == {(SURPLUS, "sa-ben"): 2}


def test_without_a_limit_of_its_own_a_key_is_never_beyond_it() -> None:
    rules = Rules(
        max_keys_per_owner_and_resource=1, overrides=(Override(Rules(), owners=("sa-ben",)),)
    )
    keys = [key(f"{owner.id} {n}", owner, days=n) for n in (1, 2) for owner in (ANN, BEN)]
    assert found(rules, *keys) == {(SURPLUS, "sa-ann"): 1}


def test_the_remaining_time_is_that_of_the_rules_of_each_key() -> None:
    rules = Rules(
        max_age=90 * DAY,
        overrides=(
            Override(Rules(max_age=30 * DAY), owners=("sa-ben",)),
            Override(Rules(), owners=("u-*",)),
        ),
    )
    keys = [key("A", ANN, days=20), key("B", BEN, days=20), key("C", ADA, days=20)]
    remaining = fold(keys, FoldSettings(100, rules), now=NOW).remaining
    assert remaining.keys() == {"service-account"}
    histogram = remaining["service-account"]
    #                      in 0  7  14 30 60 90 days: Ben's in 10, Ann's in 70
    assert histogram.buckets == (0, 0, 1, 1, 1, 2)
    assert (histogram.count, histogram.sum) == (2, 80 * DAY)


def test_a_policy_that_only_an_override_enables_is_active() -> None:
    rules = Rules(
        overrides=(Override(Rules(user_owned=True, unknown_owner=True), owners=("x-*",)),)
    )
    findings = fold([key("A", ADA, days=1)], FoldSettings(100, rules), now=NOW).findings
    assert findings.active == ("user_owned", "unknown_owner")
    assert findings.evaluated == ("user_owned",)
    assert findings.by_owner == {}


def test_keys_are_unused_by_their_own_rules() -> None:
    usage = Usage(
        {("sa-ann", "lkc-1"): NOW - 3 * DAY, ("sa-ben", "lkc-1"): NOW - 3 * DAY},
        {"lkc-1": Period(NOW - 7 * DAY, NOW)},
    )
    keys = [key("A", ANN, days=20), key("B", BEN, days=20), key("C", ADA, days=20)]
    for base, overrides, expected in (
        (2, (), {"sa-ann", "sa-ben", "u-ada"}),
        (4, (), {"u-ada"}),
        (4, (Override(Rules(unused_for=2 * DAY), owners=("sa-ben",)),), {"sa-ben", "u-ada"}),
        (2, (Override(Rules(unused_for=4 * DAY), owners=("sa-*",)),), {"u-ada"}),
        (2, (Override(Rules(), owners=("sa-ann", "u-*")),), {"sa-ben"}),
    ):
        rules = Rules(unused_for=base * DAY, exempt_api_keys=("D",), overrides=overrides)
        exempt = key("D", GONE, days=20)
        settings = FoldSettings(100, rules)
        findings = fold([*keys, exempt], settings, now=NOW, directory=LISTED, usage=usage).findings
        assert {owner.id for _, owner in findings.by_owner} == expected
        assert findings.exempted == {"unused_for": 1}


def test_an_exempt_key_is_exempt_from_the_rules_of_an_override() -> None:
    rules = Rules(
        exempt_owners=("sa-ann",), overrides=(Override(Rules(max_age=DAY), resources=("lkc-*",)),)
    )
    keys = [key("A", ANN, days=2), key("B", BEN, days=2)]
    findings = fold(keys, FoldSettings(100, rules), now=NOW).findings
    assert findings.by_owner == {("max_age", BEN): 1}
    assert findings.exempted == {"max_age": 1}


_DURATIONS = st.one_of(st.none(), st.integers(1, 60).map(lambda days: days * DAY))
_RULES = st.builds(
    Rules,
    max_age=_DURATIONS,
    expires_within=_DURATIONS,
    expired=st.booleans(),
    max_keys_per_owner_and_resource=st.one_of(st.none(), st.integers(1, 3)),
    user_owned=st.booleans(),
    undescribed=st.booleans(),
    unknown_owner=st.booleans(),
)
_OWNER_PATTERNS = st.sampled_from([(), ("sa-*",), ("sa-ann", "u-*"), ("*",), ("nobody",)])
_RESOURCE_PATTERNS = st.sampled_from([(), ("lkc-*",), ("lkc-1", "cloud"), ("cloud",)])
_OVERRIDES = st.lists(
    st.builds(Override, _RULES, owners=_OWNER_PATTERNS, resources=_RESOURCE_PATTERNS), max_size=4
).map(tuple)
_KEYS = st.lists(
    st.builds(
        Key,
        st.integers(0, 99).map(str),
        st.sampled_from([ANN, BEN, ADA, GONE, INTERNAL]),
        st.sampled_from([(KAFKA,), (OTHER,), (CLOUD,), (KAFKA, CLOUD)]),
        st.one_of(st.none(), st.integers(0, 70).map(lambda days: NOW - days * DAY)),
        st.one_of(st.none(), st.integers(-20, 70).map(lambda days: NOW + days * DAY)),
        st.booleans(),
    ),
    unique_by=lambda each: each.id,
    max_size=20,
)


def matches(override: Override, each: Key) -> bool:
    def any_of(patterns: tuple[str, ...], text: str) -> bool:
        return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)

    return any_of(override.owners, each.owner.id) and all(
        any_of(override.resources, resource.id) for resource in each.resources
    )


def naive(each: Key, keys: list[Key], rules: Rules, kinds: tuple[str, ...]) -> set[str]:
    """Return the policies that the key violates, looking at the other keys one by one."""
    own = next((o.rules for o in rules.overrides if matches(o, each)), rules)
    age = -1.0 if each.created_at is None else NOW - each.created_at
    left = inf if each.expires_at is None else each.expires_at - NOW
    ages = [NOW - o.created_at for o in keys if o.owner == GONE and o.created_at is not None]
    violated = {
        "max_age": own.max_age is not None and age > own.max_age,
        "expired": own.expired and left <= 0,
        "expires_within": own.expires_within is not None and 0 < left <= own.expires_within,
        "user_owned": own.user_owned and each.owner.kind == "user",
        "undescribed": own.undescribed and not each.described,
        "unknown_owner": own.unknown_owner
        and each.owner == GONE
        and GONE.kind in kinds
        and max(ages, default=0) > 300,
        SURPLUS: newest(each, keys) > (own.max_keys_per_owner_and_resource or inf),
    }
    return {policy for policy, is_violated in violated.items() if is_violated} - {
        policy for policy in violated if each.owner.kind == "internal"
    }


def newest(each: Key, keys: list[Key]) -> int:
    """Return how many keys its owner has for a resource up to this one, the newest first."""
    own = (each.created_at or 0.0, each.id)
    return max(
        sum(
            o.owner == each.owner and resource in o.resources and (o.created_at or 0.0, o.id) >= own
            for o in keys
        )
        for resource in each.resources
    )


@given(_KEYS, _RULES, _OVERRIDES, st.sampled_from([(), ("sa-ben",), ("u-*", "sa-ann")]))
def test_findings_equal_those_of_each_key_alone(
    keys: list[Key], base: Rules, overrides: tuple[Override, ...], exempt: tuple[str, ...]
) -> None:
    rules = replace(base, overrides=overrides, exempt_owners=exempt)
    inventory = fold(keys, FoldSettings(100, rules), now=NOW, directory=LISTED)
    findings = inventory.findings
    counts: Counter[tuple[str, Owner]] = Counter()
    exempted: Counter[str] = Counter()
    for each in keys:
        is_exempt = any(fnmatchcase(each.owner.id, pattern) for pattern in exempt)
        for policy in naive(each, keys, rules, findings.evaluated_kinds):
            if is_exempt:
                exempted[policy] += 1
            else:
                counts[policy, each.owner] += 1
    assert dict(findings.by_owner) == dict(counts)
    assert dict(findings.exempted) == dict(exempted)


@given(_KEYS, _RULES, _OVERRIDES)
def test_remaining_times_equal_those_of_each_key_alone(
    keys: list[Key], base: Rules, overrides: tuple[Override, ...]
) -> None:
    rules = replace(base, overrides=overrides)
    left: dict[str, list[float]] = {}
    for each in keys:
        own = next((o.rules for o in overrides if matches(o, each)), rules)
        if each.owner.kind != "internal" and own.max_age is not None:
            of_kind = left.setdefault(each.owner.kind, [])
            if each.created_at is not None:
                of_kind.append(max(0.0, each.created_at + own.max_age - NOW))
    remaining = fold(keys, FoldSettings(100, rules), now=NOW, directory=LISTED).remaining
    assert remaining.keys() == left.keys()
    for kind, times in left.items():
        bounds = [days * DAY for days in (0, 7, 14, 30, 60, 90)]
        assert remaining[kind].buckets == tuple(sum(t <= bound for t in times) for bound in bounds)
        assert (remaining[kind].count, remaining[kind].sum) == (len(times), sum(times))
