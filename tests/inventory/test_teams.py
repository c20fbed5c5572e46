"""The team of an owner: by hand, and compared with trying one team after the other."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from exporter.inventory import FoldSettings, Key, Owner, Resource, Team, fold, owner_teams

ANN, BEN = Owner("sa-ann", "service-account"), Owner("sa-ben", "service-account")
ADA, INTERNAL = Owner("u-ada", "user"), Owner("", "internal")
KAFKA, OTHER = Resource("lkc-1", "kafka", "env-1"), Resource("lkc-2", "kafka", "env-1")


def test_the_first_team_that_matches_the_owner_or_any_of_its_resources_is_responsible() -> None:
    pairs = [(ANN, OTHER), (ANN, KAFKA), (BEN, OTHER), (ADA, OTHER), (INTERNAL, KAFKA)]
    payments, orders = Team("payments", resources=("lkc-1",)), Team("orders", owners=("sa-*",))
    assert owner_teams(pairs, [payments, orders]) == {"sa-ann": "payments", "sa-ben": "orders"}
    assert owner_teams(pairs, [orders, payments]) == {"sa-ann": "orders", "sa-ben": "orders"}
    assert owner_teams(pairs, [Team("all", owners=("*",))]).keys() == {"sa-ann", "sa-ben", "u-ada"}
    assert owner_teams(pairs, []) == {}


def test_a_pair_that_has_no_series_of_its_own_counts_too() -> None:
    keys = [Key(str(n), ANN, (KAFKA,)) for n in range(2)] + [Key("B", BEN, (OTHER,))]
    settings = FoldSettings(1, teams=(Team("payments", resources=("lkc-2",)),))
    inventory = fold(keys, settings, now=1_790_000_000.0)
    assert inventory.collapsed_pairs == 1
    assert inventory.teams == {"sa-ben": "payments"}


_PATTERNS = st.lists(
    st.sampled_from(["sa-*", "*", "u-ada", "[!s]*", "sa-b?n", "lkc-*1*", "(", "a|b", "sa-*n*"]),
    max_size=3,
).map(tuple)
_TEAMS = st.lists(st.builds(Team, st.sampled_from("ABCD"), _PATTERNS, _PATTERNS), max_size=6)
_PAIRS = st.lists(
    st.tuples(st.sampled_from([ANN, BEN, ADA, INTERNAL]), st.sampled_from([KAFKA, OTHER]))
)


@given(_PAIRS, _TEAMS)
def test_teams_equal_those_of_trying_each(
    pairs: list[tuple[Owner, Resource]], teams: list[Team]
) -> None:
    def matches(team: Team, owner: Owner) -> bool:
        return any(fnmatchcase(owner.id, each) for each in team.owners) or any(
            fnmatchcase(resource.id, each)
            for of, resource in pairs
            if of == owner
            for each in team.resources
        )

    expected = {}
    for owner in {owner for owner, _ in pairs} - {INTERNAL}:
        found = [team.name for team in teams if matches(team, owner)]
        if found:
            expected[owner.id] = found[0]
    assert owner_teams(pairs, teams) == expected
