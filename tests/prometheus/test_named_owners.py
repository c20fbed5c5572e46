"""The owners in the alerts about keys, by promtool from the rules as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.prometheus.alert_case import (
    DAY,
    POLICIES,
    VIOLATIONS,
    Labels,
    expect,
    expiring,
    findings,
    owner_name,
    owner_team,
    series,
    threshold,
)
from tests.prometheus.rule_files import ALERTS, samples_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SENTENCES = {
    "PastMaxAge": "API keys of acme older than 14 days: {}.",
    "ExpiringSoon": "API keys of acme that expire within 14 days: {}."
    " Clients that use them will stop working.",
    "Expired": "Expired API keys of acme that are still listed: {}."
    " Clients that use them no longer work.",
    "RotationUnfinished": "API keys of acme beyond the limit per owner and resource, at the lowest"
    " point of the last day: {}. Delete the keys that are no longer used.",
    "UserOwned": "API keys of acme that belong to users: {}."
    " They stop working when those users leave.",
    "UnknownOwner": "API keys of acme whose owner no longer exists: {}.",
    "Unused": "API keys of acme whose owner made no request to their Kafka clusters for 14 days:"
    " {}.",
}
"""What each of them says, less the number of keys and the owners."""
HOSTILE = "a\"b{{ .Labels }}\n{{ end }}\\c\u202e'<!channel>"
SHOWN = r'''"a\"b{{ .Labels }}?{{ end }}\\c?'?!channel?"'''

several = pytest.mark.parametrize("name", POLICIES)

pytestmark = pytest.mark.integration


def expect_owners(folder: Path, name: str, given: Iterable[Labels], keys_and_owners: str) -> None:
    """Check what the alert ``name`` about several owners says of keys and owners."""
    policy = POLICIES[name]
    limits = [threshold(each, 14 * DAY) for each in ("max_age", "expires_within", "unused_for")]
    text = SENTENCES[name].format(keys_and_owners)
    expect(folder, name, [*limits, *given], ({"policy": policy}, text))


def test_every_alert_about_the_findings_of_several_owners_is_here() -> None:
    about_one_owner = {"ConfluentApiKeysExpiringVerySoon"}
    found = {name for name, rule in ALERTS.items() if VIOLATIONS in samples_of(rule["expr"])}
    assert found - about_one_owner == {f"ConfluentApiKeys{name}" for name in POLICIES}


@several
def test_owners_are_ids_without_names_and_teams(name: str, tmp_path: Path) -> None:
    unnamed = owner_name("sa-1", "sa-1")  # while the name is unknown
    given = [*findings(name, {"sa-1": 2, "u-2": 1, "": 0}), unnamed]
    expect_owners(tmp_path, name, given, "3. Owners: sa-1, u-2")


@several
def test_owners_have_names_and_teams_where_known(name: str, tmp_path: Path) -> None:
    given = [
        *findings(name, {"sa-1": 2, "sa-2": 1, "u-3": 1}),
        owner_name("sa-1", "Billing"),
        owner_name("sa-2", "Ledger"),
        owner_team("sa-1", "payments"),
        owner_team("u-3", "core"),
        owner_name("u-3", "Another", organization="globex"),
        owner_team("sa-2", "another", job="confluent-api-keys-trial"),
    ]
    owners = 'sa-1 "Billing" (team payments), sa-2 "Ledger", u-3 (team core)'
    expect_owners(tmp_path, name, given, f"4. Owners: {owners}")


@several
def test_of_more_than_five_owners_those_with_most_keys_are_named(name: str, tmp_path: Path) -> None:
    keys = {"sa-1": 1, "sa-2": 9, "sa-3": 8, "sa-4": 2, "sa-5": 7, "sa-6": 6, "sa-7": 5}
    owners = "sa-2, sa-3, sa-5, sa-6, sa-7 and 2 more"
    expect_owners(tmp_path, name, findings(name, keys), f"38. Owners: {owners}")


@several
def test_five_owners_are_all(name: str, tmp_path: Path) -> None:
    keys = dict.fromkeys(("sa-1", "sa-2", "sa-3", "sa-4", "sa-5"), 1)
    owners = "sa-1, sa-2, sa-3, sa-4, sa-5"
    expect_owners(tmp_path, name, findings(name, keys), f"5. Owners: {owners}")


@several
def test_two_replicas_name_each_owner_once(name: str, tmp_path: Path) -> None:
    """If they differ in a name or a team, it is the first in alphabetical order."""
    given = [
        *findings(name, {"sa-1": 2}),
        *findings(name, {"sa-1": 2}, instance="b", pod="b"),
        owner_name("sa-1", "New"),
        owner_name("sa-1", "Old", instance="b", pod="b"),
        owner_team("sa-1", "payments", instance="b", pod="b"),
        owner_team("sa-1", "ledger"),
    ]
    expect_owners(tmp_path, name, given, '2. Owners: sa-1 "New" (team ledger)')


@several
def test_a_hostile_name_stays_a_quoted_name(name: str, tmp_path: Path) -> None:
    """Names are shortened, because nothing else limits them. A team or an id is not quoted."""
    given = [
        *findings(name, {"sa-1": 2, 'sa-"2\n<x>': 1}),
        owner_name("sa-1", HOSTILE),
        owner_team("sa-1", "pay\n<@all>{{ .X }}"),
        owner_name('sa-"2\n<x>', "n" * 70),
    ]
    second = f'sa-"2??x? "{"n" * 64}"'
    owners = f"{second}, sa-1 {SHOWN} (team pay??@all?{{{{ .X }}}})"
    expect_owners(tmp_path, name, given, f"3. Owners: {owners}")


def test_an_owner_whose_keys_expire_very_soon_is_named_there_only(tmp_path: Path) -> None:
    limit = threshold("expires_within", 14 * DAY)
    given = [limit, *expiring("sa-1", 5 * DAY), *expiring("sa-2", 1.5 * DAY)]
    text = SENTENCES["ExpiringSoon"].format("1. Owners: sa-1")
    expect(tmp_path, "ExpiringSoon", given, ({"policy": "expires_within"}, text))
    labels = {"owner_id": "sa-2", "owner_kind": "user"}
    text = (
        "An API key of sa-2 in acme expires in 1d 12h 0m 0s. That is less than 2 days, one seventh"
        " of the policy expires_within."
    )
    expect(tmp_path, "ExpiringVerySoon", given, (labels, text))


def test_an_alert_about_one_owner_has_its_name_and_team(tmp_path: Path) -> None:
    given = [
        threshold("expires_within", 7 * DAY),
        *expiring("sa-1", 0.5 * DAY),
        *expiring("sa-2", 0.5 * DAY),
        owner_name("sa-1", HOSTILE),
        owner_team("sa-1", 'pay "{{ .X }}'),
        owner_team("sa-1", 'pay "{{ .X }}', instance="b", pod="b"),
    ]
    text = (
        "An API key of {} in acme expires in 12h 0m 0s. That is less than 1 day, one seventh of the"
        " policy expires_within."
    )
    first = {"owner_id": "sa-1", "owner_kind": "user", "team": 'pay "{{ .X }}'}
    second = {"owner_id": "sa-2", "owner_kind": "user"}
    expect(
        tmp_path,
        "ExpiringVerySoon",
        given,
        (first, text.format(f'sa-1 {SHOWN} (team pay "{{{{ .X }}}})')),
        (second, text.format("sa-2")),
    )


def test_a_new_key_is_that_of_a_named_owner(tmp_path: Path) -> None:
    key = {"api_key_id": "KEY1", "owner_id": "u-1", "owner_kind": "user", "resource_kind": "cloud"}
    metric = "confluent_cloud_new_cloud_or_global_api_key_created_timestamp_seconds"
    given = [series(metric, DAY - 3600, **key), owner_name("u-1", "Ann"), owner_team("u-1", "core")]
    text = (
        'API key KEY1 of u-1 "Ann" (team core) was created in acme 1h 0m 0s ago. Its resource kind'
        " is cloud."
    )
    expect(tmp_path, "NewCloudOrGlobalKey", given, (key | {"team": "core"}, text))


@pytest.mark.parametrize("name", ["QuotaHigh", "QuotaCritical"])
@pytest.mark.parametrize("owner", ["sa-1", ""])
def test_the_quota_of_an_owner_has_its_team(name: str, owner: str, tmp_path: Path) -> None:
    quota = {"quota_id": "q", "scope": "SERVICE_ACCOUNT" if owner else "ORGANIZATION"}
    if owner:
        quota["owner_id"] = owner
    given = [
        series("confluent_cloud_quota_limit", 10, **quota),
        series("confluent_cloud_quota_usage", 10, **quota),
        owner_team("sa-1", "payments"),
    ]
    labels = quota | ({"team": "payments"} if owner else {})
    summary = ALERTS[f"ConfluentApiKeys{name}"]["annotations"]["summary"]
    expect(tmp_path, name, given, (labels, summary), annotation="summary")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (DAY, "1 day"),
        (11 * DAY, "11 days"),
        (1_209_600, "14 days"),
        (21 * DAY + 3600, "21d 1h 0m 0s"),
        (36 * 3600, "1d 12h 0m 0s"),
        (3600, "1h 0m 0s"),
    ],
)
def test_whole_days_are_written_as_days(seconds: int, written: str, tmp_path: Path) -> None:
    given = [threshold("max_age", seconds), *findings("PastMaxAge", {"sa-1": 1})]
    text = f"API keys of acme older than {written}: 1. Owners: sa-1."
    expect(tmp_path, "PastMaxAge", given, ({"policy": "max_age"}, text))


@several
def test_the_owners_that_are_named_are_those_that_are_counted(name: str) -> None:
    text = ALERTS[f"ConfluentApiKeys{name}"]["annotations"]["description"]
    (named,) = re.findall(r'printf "topk\(5, (.*?)\)" ([^|]*)\|', text)
    (counted,) = re.findall(r'printf "count\((.*?)\) - 5 > 0" ([^|]*)\|', text)
    assert named == counted


def test_every_list_of_owners_is_written_the_same_way() -> None:
    texts = {ALERTS[f"ConfluentApiKeys{name}"]["annotations"]["description"] for name in POLICIES}
    owners = [text.partition(". Owners:")[2] for text in texts]
    lists = {each.partition('{{- with printf "count(')[0] for each in owners}
    assert len(lists) == 1
    assert "owner_team_info" in lists.pop()


def test_every_limit_is_written_in_whole_days_where_it_can_be() -> None:
    texts = [rule["annotations"]["description"] for rule in ALERTS.values()]
    limits = [
        expanded
        for text in texts
        for expanded in re.findall(r"policy_threshold_seconds.*?\| query \}\}\{\{(.*?)\}\}", text)
        if "humanizeDuration" in expanded
    ]
    assert len(limits) >= 3
    assert len(set(limits)) == 1
