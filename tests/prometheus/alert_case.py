"""A case for promtool about one of the alerts on keys, as it is in the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tests.prometheus.rule_files import ALERTS, GROUPS, promtool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DAY = 86_400
RECORDING = "confluent-api-keys.recording"
VIOLATIONS = "confluent_cloud_api_key_policy_violations"
POLICIES = {
    "PastMaxAge": "max_age",
    "ExpiringSoon": "expires_within",
    "Expired": "expired",
    "RotationUnfinished": "max_keys_per_owner_and_resource",
    "UserOwned": "user_owned",
    "UnknownOwner": "unknown_owner",
    "Unused": "unused_for",
}
"""The policy of each alert that is about the keys of several owners."""

Labels = dict[str, str]


def series(metric: str, value: float, **labels: str) -> Labels:
    """Return an input series of promtool that has had ``value`` for more than a day."""
    usual = {"job": "confluent-api-keys", "instance": "a", "organization": "acme"} | labels
    escaped = {
        key: text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        for key, text in usual.items()
    }
    selector = ", ".join(f'{key}="{text}"' for key, text in escaped.items())
    return {"series": f"{metric}{{{selector}}}", "values": f"{value:.0f}x300"}


def threshold(policy: str, seconds: float) -> Labels:
    return series("confluent_cloud_api_key_policy_threshold_seconds", seconds, policy=policy)


def findings(name: str, keys: Mapping[str, int], **more: str) -> list[Labels]:
    """Return the series that say how many keys of each owner the alert ``name`` is about."""
    return [
        series(VIOLATIONS, count, policy=POLICIES[name], owner_id=owner, owner_kind="user", **more)
        for owner, count in keys.items()
    ]


def owner_name(owner: str, name: str, **labels: str) -> Labels:
    kind = {"owner_kind": "user", "owner_name": name}
    return series("confluent_cloud_owner_info", 1, owner_id=owner, **kind, **labels)


def owner_team(owner: str, team: str, **labels: str) -> Labels:
    return series("confluent_cloud_owner_team_info", 1, owner_id=owner, team=team, **labels)


def expiring(owner: str, seconds: float) -> list[Labels]:
    """Return the series of an owner whose next key expires ``seconds`` after the check."""
    owned = {"owner_id": owner, "owner_kind": "user"}
    return [
        series(
            "confluent_cloud_owner_next_api_key_expiry_timestamp_seconds", DAY + seconds, **owned
        ),
        series(VIOLATIONS, 1, policy="expires_within", **owned),
    ]


def expect(
    folder: Path,
    name: str,
    given: Iterable[Labels],
    *alerts: tuple[Labels, str],
    annotation: str = "description",
) -> None:
    """Check that ``name`` fires for ``given`` with these labels and texts of ``annotation``.

    The labels job, organization and severity are as usual if they are not given. Other annotations
    are left out of the rule.
    """
    name = f"ConfluentApiKeys{name}"
    rule = ALERTS[name]
    shown = {annotation: rule["annotations"][annotation]}
    (recording,) = [each for each in GROUPS if each["name"] == RECORDING]
    groups = [recording, {"name": "alert", "rules": [rule | {"annotations": shown}]}]
    usual = {
        "job": "confluent-api-keys",
        "organization": "acme",
        "severity": rule["labels"]["severity"],
    }
    expected: list[Any] = [
        {"exp_labels": usual | labels, "exp_annotations": {annotation: text}}
        for labels, text in alerts
    ]
    case = {
        "interval": "5m",
        "input_series": [*given],
        "alert_rule_test": [{"eval_time": "1d", "alertname": name, "exp_alerts": expected}],
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1h",
        "group_eval_order": [RECORDING, "alert"],
        "tests": [case],
    }
    cases = folder / "cases.yml"
    cases.write_text(yaml.safe_dump(document))
    promtool("test", "rules", cases)
