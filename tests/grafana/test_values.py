"""The dashboards show the values of the simulator."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import METRICS_DESCRIPTORS_PATH, METRICS_QUERY_PATH
from tests.grafana.history import (
    DAY,
    DAYS,
    HOUR,
    INSTANCE,
    JOINED,
    LIMIT,
    LOOK_BACK,
    MINUTE,
    REPLICA,
    REVOKED,
    SCRAPE,
    TEAM,
    TROUBLED,
)
from tests.grafana.interpolation import ALL
from tests.grafana.scene import API_KEYS, HEALTH, QUERIES, REFRESH, STALE_AFTER
from tests.grafana.truth import MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from tests.grafana.scene import Scene, Selection
    from tests.grafana.truth import Labels, Truth

    Table: TypeAlias = tuple[Labels, Callable[[Truth], Mapping[Labels, float]]]

ORGANIZATIONS = ("acme", "broken", "empty", "fresh", "lenient")
SPANS = {"6h": 6 * HOUR, "2d": DAYS}
MOST = 100
"""Rows of a table."""
UNKNOWN = -1.0
"""Represents unknown and unevaluated values in tables."""
each_organization = pytest.mark.parametrize("organization", [ALL, *ORGANIZATIONS])
each_instance = pytest.mark.parametrize("instance", [ALL, INSTANCE, REPLICA])


def test_the_organizations_have_their_intended_properties(scene: Scene) -> None:
    truths = {name: scene.truth(name) for name in ORGANIZATIONS if name != "broken"}
    findings = truths["acme"].by_policy().values()
    assert len({*findings, 0}) == 9, "a number could be taken for another"
    assert {each.exempted for each in truths["acme"].findings()} == {True, False}
    assert not list(truths["empty"].keys())
    assert truths["fresh"].by_policy()["max_age"] == 0
    assert truths["lenient"].by_policy() == {}
    assert all(each.next_expiries() for name, each in truths.items() if name != "empty")


@each_instance
@each_organization
def test_the_top_row_is_correct(scene: Scene, organization: str, instance: str) -> None:
    selection: Selection = {"organization": organization, "instance": instance}
    titles = ("Keys", "Owners", "Oldest key", "Next expiry", "Fullest quota")
    shown: dict[str, float] = {}
    for title in (*titles, "Organizations failing", "Findings by policy"):
        shown |= scene.numbers(API_KEYS, title, selection)
    expected = {"Organizations failing A": float(organization in {ALL, "broken"})}
    if organization != "broken":
        truth = scene.truth(organization)
        expected |= {
            "Keys A": len(list(truth.keys())),
            "Owners A": sum(kind != "internal" for _, _, kind in truth.owners()),
            "Fullest quota A": max(usage / limit for usage, limit in truth.quotas().values()),
        }
        findings = truth.by_policy()
        for ref, count in zip("ABCDEFGH", findings.values(), strict=False):
            expected[f"Findings by policy {ref}"] = count
        for title, policy, values in (
            ("Oldest key", "max_age", truth.oldest().values()),
            ("Next expiry", "expires_within", truth.next_expiries().values()),
        ):
            ref = "C" if not findings else "A" if findings[policy] else "B"
            if values:
                expected[f"{title} {ref}"] = (max if title == "Oldest key" else min)(values)
    assert shown == pytest.approx(expected)


@each_instance
@pytest.mark.parametrize("dashboard", [API_KEYS, HEALTH])
@pytest.mark.parametrize(
    ("organization", "refs"),
    [(ALL, ["A"]), ("acme", ["C"]), ("empty", ["C"]), ("fresh", ["C"]), ("broken", ["A"])],
)
def test_the_data_age_is_correct(
    scene: Scene, dashboard: str, organization: str, refs: list[str], instance: str
) -> None:
    selection: Selection = {"organization": organization, "instance": instance}
    shown = scene.numbers(dashboard, "Data age", selection)
    assert list(shown) == [f"Data age {ref}" for ref in refs]
    if refs == ["A"]:  # broken was never listed since the exporters started
        assert list(shown.values()) == [-1]
    else:
        assert all(0 < age < scene.now - scene.restarted for age in shown.values())


@pytest.mark.parametrize("dashboard", [API_KEYS, HEALTH])
def test_stale_data_shows_its_age(scene: Scene, dashboard: str) -> None:
    shown = scene.numbers(dashboard, "Data age", {}, at=scene.history.ended)
    assert list(shown) == ["Data age A"]
    assert REVOKED - 1 < shown["Data age A"] < REVOKED + REFRESH


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("instance", [ALL, INSTANCE])
@each_organization
def test_the_change_is_correct(scene: Scene, organization: str, instance: str, span: str) -> None:
    selection: Selection = {"organization": organization, "instance": instance}
    shown = scene.numbers(API_KEYS, "Change", selection, span=SPANS[span])
    if organization in {"fresh", "broken"}:  # not monitored then, or no longer
        assert shown == {}
        return
    names = set(ORGANIZATIONS if organization == ALL else (organization,)) - {"fresh", "broken"}
    began, latest = scene.now - SPANS[span], scene.history.counts[-1][1]
    changes = {
        sum(latest[name] - counts[name] for name in names)
        for at, counts in scene.history.counts
        if began - REFRESH - 2 * SCRAPE <= at <= began
    }
    assert shown["Change A"] in changes
    assert changes == {0} or organization in {ALL, "acme"}


def test_the_keys_over_time_are_correct(scene: Scene) -> None:
    answer = scene.ask(QUERIES[f"{API_KEYS}: Keys by organization A"], {})
    shown = {each["metric"]["organization"]: dict(each["values"]) for each in answer}
    assert shown.keys() == set(ORGANIZATIONS)
    for name, values in shown.items():
        for at, value in values.items():
            since = at - REFRESH - 2 * SCRAPE
            assert int(value) in {
                counts[name] for then, counts in scene.history.counts if since <= then <= at
            }
    began, ended = scene.history.began, scene.history.ended
    assert min(shown["acme"]) <= began + 2 * SCRAPE
    assert min(shown["fresh"]) == pytest.approx(ended - JOINED, abs=2 * SCRAPE)
    gone = ended - REVOKED + STALE_AFTER + LOOK_BACK
    assert max(shown["broken"]) == pytest.approx(gone, abs=REFRESH + 2 * SCRAPE)


_OWNER = ("organization", "owner_id", "owner_kind")
_RESOURCE = ("organization", "resource_id", "resource_kind", "environment_id")
_QUOTA = ("organization", "quota_id", "scope", "owner_id", "environment_id", "resource_id")
_BOUNDS = [days * DAY for days in (0, 1, 7, 30, 60, 90, 180, 365, 730, 1e6)]


def findings_by_owner(truth: Truth, policy: str = "") -> dict[Labels, int]:
    """Return the number of findings of each evaluated owner, including 0."""
    found: Counter[Labels] = Counter(
        (each.organization, each.owner.id, each.owner.kind)
        for each in truth.findings()
        if not each.exempted and policy in {"", each.policy}
    )
    return {
        owner: found[owner]
        for owner in truth.owners()
        if owner[0] in truth.evaluated and owner[2] != "internal"
    }


def aged(lower: float, upper: float) -> Table:
    return (), lambda truth: {(): sum(lower < age <= upper for age in truth.ages())}


TABLES: dict[str, Table] = {
    "Owners with the most keys A": (_OWNER, lambda truth: truth.owners()),
    "Owners with the most keys B": (_OWNER, lambda truth: truth.oldest()),
    "Owners with the most keys C": (
        _OWNER,
        lambda truth: dict.fromkeys(truth.owners(), UNKNOWN) | truth.next_expiries(),
    ),
    "Owners with the most keys D": (
        _OWNER,
        lambda truth: dict.fromkeys(truth.owners(), UNKNOWN) | findings_by_owner(truth),
    ),
    "Resources with the most keys A": (_RESOURCE, lambda truth: truth.resources()),
    "Keys by resource kind and owner kind A": (
        ("resource_kind", "owner_kind"),
        lambda truth: truth.kinds(),
    ),
    "Keys by owner and resource A": (
        (*_RESOURCE, "owner_id", "owner_kind"),
        lambda truth: truth.pairs(),
    ),
    "Upcoming expiries A": (_OWNER, lambda truth: truth.next_expiries()),
    "Upcoming expiries B": (
        _OWNER,
        lambda truth: (
            dict.fromkeys(truth.next_expiries(), UNKNOWN)
            | {
                owner: float(count > 0)
                for owner, count in findings_by_owner(truth, "expires_within").items()
                if owner in truth.next_expiries()
            }
        ),
    ),
    "Rotation backlog by organization A": (
        ("organization",),
        lambda truth: {(name,): MAX_AGE / DAY for name in truth.evaluated},
    ),
    "Rotation backlog by organization B": (
        ("organization",),
        lambda truth: truth.too_old_within(0),
    ),
    "Rotation backlog by organization C": (
        ("organization",),
        lambda truth: truth.too_old_within(30 * DAY),
    ),
    "Fullest quotas A": (
        _QUOTA,
        lambda truth: {at: usage for at, (usage, _) in truth.quotas().items()},
    ),
    "Fullest quotas B": (
        _QUOTA,
        lambda truth: {at: limit for at, (_, limit) in truth.quotas().items()},
    ),
    "Fullest quotas C": (
        _QUOTA,
        lambda truth: {at: usage / limit for at, (usage, limit) in truth.quotas().items()},
    ),
    "Findings by owner A": (
        ("policy", *_OWNER),
        lambda truth: Counter(
            (each.policy, each.organization, each.owner.id, each.owner.kind)
            for each in truth.findings()
            if not each.exempted
        ),
    ),
    "Exempt keys A": (
        ("organization", "policy"),
        lambda truth: Counter(
            (each.organization, each.policy) for each in truth.findings() if each.exempted
        ),
    ),
    "Owners that were not active for longest A": (
        (*_OWNER, "resource_id"),
        lambda truth: truth.last_active(),
    ),
    "Unused keys by owner A": (
        _OWNER,
        lambda truth: {
            owner: count for owner, count in findings_by_owner(truth, "unused_for").items() if count
        },
    ),
    "Known activity by organization B": (
        ("organization",),
        lambda truth: (
            dict.fromkeys(((name,) for name in truth.organizations), UNKNOWN) | truth.unevaluated()
        ),
    ),
    "Known activity by organization C": (
        ("organization",),
        lambda truth: {
            (name,): truth.by_policy().get("unused_for", UNKNOWN) for name in truth.organizations
        },
    ),
} | {
    f"Age distribution {ref}": aged(lower, upper)
    for ref, (lower, upper) in zip("ABCDEFGHI", pairwise(_BOUNDS), strict=True)
}


@pytest.mark.parametrize("organization", ["acme", "empty", "fresh", "lenient"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_correct(scene: Scene, name: str, organization: str) -> None:
    labels, true = TABLES[name]
    truth = true(scene.truth(organization))
    answer = scene.ask(QUERIES[f"{API_KEYS}: {name}"], {"organization": organization})
    shown = {
        tuple(each["metric"].get(label, "") for label in labels): float(each["value"][1])
        for each in answer
    }
    assert len(shown) == len(answer)
    if len(truth) <= MOST:
        assert shown == pytest.approx(dict(truth))
    else:
        assert shown == pytest.approx({at: truth[at] for at in shown})


@pytest.mark.parametrize(
    "name",
    [
        "Owners with the most keys A",
        "Findings by owner A",
        "Owners that were not active for longest A",
        "Unused keys by owner A",
    ],
)
def test_a_table_of_owners_shows_their_teams(scene: Scene, name: str) -> None:
    answer = scene.ask(QUERIES[f"{API_KEYS}: {name}"], {"organization": "acme"})
    shown = {(each["metric"].get("owner_id", ""), each["metric"].get("team")) for each in answer}
    owners = {owner for owner, _ in shown}
    of_team = scene.history.of_team
    assert shown == {(owner, TEAM if owner in of_team else None) for owner in owners}
    assert owners & of_team
    assert owners - of_team


@pytest.mark.parametrize("organization", ["acme", "empty", "fresh", "lenient"])
def test_the_time_of_known_activity_is_correct(scene: Scene, organization: str) -> None:
    query = QUERIES[f"{API_KEYS}: Known activity by organization A"]
    (row,) = scene.ask(query, {"organization": organization})
    assert row["metric"] == {"organization": organization}
    known = float(row["value"][1])
    if organization != "acme":
        assert known == UNKNOWN
    else:  # from the first whole hour that the API still knew when the exporters were started
        hours = [
            math.ceil((at - 3 * MINUTE - 7 * DAY) / HOUR) for at in (scene.restarted, scene.now)
        ]
        since = scene.now - known * DAY
        assert round(since) in {hour * HOUR for hour in hours}


@each_instance
def test_the_top_row_of_the_health_dashboard_is_correct(scene: Scene, instance: str) -> None:
    selection: Selection = {"instance": instance}
    assert scene.numbers(HEALTH, "Exporters down", selection) == {"Exporters down A": 0}
    assert scene.numbers(HEALTH, "Organizations failing", selection) == {
        "Organizations failing A": 1
    }
    left = rate_limit_left(scene)
    assert scene.numbers(HEALTH, "Rate limit left", selection) == pytest.approx(
        {"Rate limit left A": left.get(instance, min(left.values()))}
    )


def test_an_exporter_that_is_down_is_counted_and_named(scene: Scene) -> None:
    at = scene.moment("replica unreachable")
    assert scene.numbers(HEALTH, "Exporters down", {}, at=at) == {"Exporters down A": 1}
    answer = scene.ask(QUERIES[f"{HEALTH}: Exporters E"], {}, at=at)
    assert {each["metric"]["instance"]: each["value"][1] for each in answer} == {
        INSTANCE: "1",
        REPLICA: "0",
    }


def test_failing_collectors_are_listed_with_their_reason(scene: Scene) -> None:
    def shown(ref: str, *labels: str) -> dict[Labels, float]:
        return {
            tuple(each["metric"][label] for label in labels): float(each["value"][1])
            for each in scene.ask(QUERIES[f"{HEALTH}: Collectors {ref}"], {})
        }

    states = shown("A", "organization", "collector")
    assert len(states) == 3 * len(ORGANIZATIONS) + 1  # usage, in acme
    failing = {where: state for where, state in states.items() if state < 2}
    assert failing == {
        ("broken", "api_keys"): 0,  # stale
        ("broken", "quotas"): 0,
        ("broken", "names"): 1,  # failing, but names stay
    }
    reasons = shown("E", "organization", "collector", "reason")
    assert reasons.keys() == {(*where, "forbidden") for where in failing}


@pytest.mark.parametrize(
    "points", [100, 1680]
)  # as current and older versions of Grafana query annotations
@pytest.mark.parametrize(("hours", "starts"), [(10, 1), (46, 1)])  # the history begins 48 h ago
def test_each_start_is_drawn_once(scene: Scene, hours: int, starts: int, points: int) -> None:
    """A replica that can be scraped again has not started."""
    for dashboard in (API_KEYS, HEALTH):
        query = replace(QUERIES[f"{dashboard}: Exporter starts annotation"], points=points)
        answer = scene.ask(query, {}, span=hours * HOUR)
        drawn = {each["metric"]["instance"]: len(each["values"]) for each in answer}
        assert drawn == {INSTANCE: starts, REPLICA: 1}


def rate_limit_left(scene: Scene) -> dict[str, float]:
    """Return the lowest share left that the latest responses reported to each exporter."""
    spent: Counter[tuple[str | None, int]] = Counter()
    told: dict[str, dict[tuple[str | None, str], float]] = {INSTANCE: {}, REPLICA: {}}
    asked = scene.present.asked
    for number, request in enumerate(scene.present.simulator.requests):
        if number >= asked[REPLICA]:
            break  # a later refresh, after the values under test
        if request.path in {METRICS_DESCRIPTORS_PATH, METRICS_QUERY_PATH}:
            continue  # another host, with limits of its own that are far away
        window = request.account, int(request.time // LIMIT.seconds)
        spent[window] += 1
        if request.status == 200:
            instance = INSTANCE if number < asked[INSTANCE] else REPLICA
            told[instance][request.account, request.path] = 1 - spent[window] / LIMIT.limit
    return {instance: min(shares.values()) for instance, shares in told.items()}


def answers(scene: Scene, name: str, *, ended: float) -> list[int | None]:
    """Return the statuses of the requests of ``name`` in the half hour until ``ended``."""
    scrapes = [at for at, _ in scene.history.counts if ended - 30 * MINUTE < at <= ended]
    return [
        each.status
        for each in scene.history.requests
        if each.account == name and scrapes[0] < scene.history.began + each.time <= scrapes[-1]
    ]


def test_the_share_of_failed_requests_is_correct(scene: Scene) -> None:
    # Late enough that each kind of failure has occurred before, because a rate does not include the
    # first event of a new counter. Below ten requests, no share is shown.
    earliest = scene.history.ended - TROUBLED + 40 * MINUTE
    shares: dict[str, float] = {}
    for name in ("acme", "broken"):
        ended = next(
            at
            for at, _ in scene.history.counts
            if at >= earliest and len(answers(scene, name, ended=at)) > 10
        )
        statuses = answers(scene, name, ended=ended)
        shares[name] = sum(status != 200 for status in statuses) / len(statuses)
        shown = scene.numbers(HEALTH, "Failed requests", {"organization": name}, at=ended)
        assert shown == pytest.approx({"Failed requests A": shares[name]}, rel=0.02)
    assert 0 < shares["acme"] < shares["broken"]
    shown = scene.numbers(HEALTH, "Failed requests", {}, at=ended)
    assert shown == pytest.approx({"Failed requests A": shares["broken"]}, rel=0.02)
