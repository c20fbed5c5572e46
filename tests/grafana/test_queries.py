"""Every query of the dashboards on a real Prometheus: it returns data unless listed as empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.grafana.history import DAYS, HOUR, INSTANCE, REPLICA
from tests.grafana.interpolation import ALL
from tests.grafana.recorder import JOB
from tests.grafana.scene import API_KEYS, DASHBOARDS, HEALTH, QUERIES, variables_of

if TYPE_CHECKING:
    from tests.grafana.scene import Scene, Selection

SPANS = {"6h": 6 * HOUR, "2d": DAYS}
KINDS = ("all", "one", "several")


@dataclass(frozen=True)
class Empty:
    """A query that correctly returns nothing while one of ``kinds`` is selected."""

    kinds: tuple[str, ...]
    reason: str
    elsewhere: tuple[str, str] | None = None
    """The selection and the time at which it does return data."""


_COLOR = "another query of the panel has the value, in the colour of its case"
EMPTY: dict[str, Empty] = (
    {
        f"{API_KEYS}: Oldest key B": Empty(KINDS, _COLOR, ("fresh", "now")),
        f"{API_KEYS}: Oldest key C": Empty(KINDS, _COLOR, ("lenient", "now")),
        f"{API_KEYS}: Next expiry B": Empty(KINDS, _COLOR, ("fresh", "now")),
        f"{API_KEYS}: Next expiry C": Empty(KINDS, _COLOR, ("lenient", "now")),
        f"{HEALTH}: Collectors E": Empty(("one",), "nothing fails", ("broken", "now")),
        f"{HEALTH}: Exporters F": Empty(KINDS, "no web configuration", ("all", "end of the past")),
        f"{HEALTH}: Time until the token expires A": Empty(KINDS, "all use API keys"),
        f"{HEALTH}: Collapsed pairs and unreadable items A": Empty(KINDS, "there are none"),
        f"{HEALTH}: Collapsed pairs and unreadable items B": Empty(KINDS, "there are none"),
    }
    | {
        f"{dashboard}: Firing alerts {ref}": Empty(KINDS, "this Prometheus evaluates no rules")
        for dashboard in DASHBOARDS
        for ref in "ABC"
    }
    | {
        f"{dashboard}: Data age {ref}": each
        for dashboard in DASHBOARDS
        for ref, each in {
            "A": Empty(("one",), _COLOR, ("all", "end of the past")),
            "B": Empty(KINDS, _COLOR, ("broken", "role just revoked")),
            "C": Empty(("all", "several"), _COLOR, ("broken", "role not yet revoked")),
        }.items()
    }
)

_REFRESHED_APART = "the replicas refreshed at different times"
_SAW_DIFFERENT_TIMES = "one replica saw less of the past, and so predicts another future"
REPLICAS_DIFFER: dict[str, str] = {
    f"{API_KEYS}: Data age A": _REFRESHED_APART,
    f"{API_KEYS}: Data age B": _REFRESHED_APART,
    f"{API_KEYS}: Data age C": _REFRESHED_APART,
    f"{API_KEYS}: Known activity by organization A": _REFRESHED_APART,
    f"{API_KEYS}: Fullest quotas D": _SAW_DIFFERENT_TIMES,
    f"{API_KEYS}: Fullest quotas E": _SAW_DIFFERENT_TIMES,
}


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_returns_data_unless_listed_as_empty(
    scene: Scene, name: str, kind: str, span: str
) -> None:
    found = scene.ask(QUERIES[name], scene.selected(kind), span=SPANS[span])
    if name in EMPTY and kind in EMPTY[name].kinds:
        assert found == [], EMPTY[name].reason
    else:
        assert found


def test_every_listed_query_exists() -> None:
    assert {*EMPTY, *REPLICAS_DIFFER} <= QUERIES.keys()


@pytest.mark.parametrize("name", [name for name in EMPTY if EMPTY[name].elsewhere])
def test_a_query_listed_as_empty_returns_data_elsewhere(scene: Scene, name: str) -> None:
    elsewhere = EMPTY[name].elsewhere
    assert elsewhere is not None
    kind, moment = elsewhere
    assert scene.ask(QUERIES[name], scene.selected(kind), at=scene.moment(moment))


@pytest.mark.parametrize("organization", ["broken", "empty", "fresh", "lenient"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_works_for_every_organization(scene: Scene, name: str, organization: str) -> None:
    scene.ask(QUERIES[name], {"organization": organization}, span=6 * HOUR)


@pytest.mark.parametrize(
    "name",
    [
        query.name
        for query in QUERIES.values()
        if query.dashboard == API_KEYS and query.instant and query.name not in REPLICAS_DIFFER
    ],
)
def test_two_replicas_give_the_same_result_as_one(scene: Scene, name: str) -> None:
    def answer(instance: str) -> dict[frozenset[tuple[str, str]], float]:
        return {
            # They have different names, and either may be shown.
            frozenset((k, v) for k, v in each["metric"].items() if not k.endswith("_name")): (
                float(each["value"][1])
            )
            for each in scene.ask(QUERIES[name], {"instance": instance})
        }

    assert answer(ALL) == pytest.approx(answer(INSTANCE))


@pytest.mark.parametrize("dashboard", DASHBOARDS)
@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"organization": "acme", "instance": INSTANCE},
        {"organization": ["acme", "lenient"], "instance": [INSTANCE, REPLICA]},
    ],
    ids=KINDS,
)
def test_the_options_of_the_variables_are_correct(
    scene: Scene, dashboard: str, selection: Selection
) -> None:
    organizations = scene.history.organizations
    chosen = selection.get("organization", [*organizations])
    chosen = [chosen] if isinstance(chosen, str) else chosen
    keys = [
        key for name, each in organizations.items() for key in each.keys.values() if name in chosen
    ]
    truth = {
        "job": {JOB},
        "instance": {INSTANCE, REPLICA},
        "organization": set(organizations),
        # Options from the whole time range, and options from now.
        "owner_kind": {key.owner.kind if key.owner else "internal" for key in keys},
        "resource_kind": {each.kind for key in keys for each in key.resources},
        "environment": {
            place for name, *_, place in scene.truth().resources() if name in chosen and place
        },
    }
    choices = {
        each["name"]: {option.value for option in scene.options(dashboard, each["name"], selection)}
        for each in variables_of(dashboard)
    }
    assert choices == {name: truth[name] for name in choices}


def test_environments_are_selected_by_name(scene: Scene) -> None:
    names = {
        environment.id: (organization, environment.name)
        for organization, each in scene.history.organizations.items()
        for environment in each.environments.values()
    }
    for option in scene.options(API_KEYS, "environment", {}):
        organization, name = names[option.value]
        # Renaming appends to the name, and both replicas started before the latest one.
        assert name.startswith(option.text)
        assert option.text.endswith('"new"') == (organization == "acme")
