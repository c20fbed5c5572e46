"""The links from alerts to the page of API keys, as promtool expands them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import yaml

from exporter.web.keys_query import parse_query
from tests.prometheus.rule_files import ALERTS, labels_of, promtool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

URL = "https://keys.team.example/exporter/keys"
LINKS = {
    "PastMaxAge": {"policy": "max_age", "sort": "-age"},
    "ExpiringSoon": {"policy": "expires_within", "sort": "expiry"},
    "ExpiringVerySoon": {"policy": "expires_within", "owner": "sa-1", "sort": "expiry"},
    "Expired": {"policy": "expired", "sort": "-expiry"},
    "RotationUnfinished": {"policy": "max_keys_per_owner_and_resource", "sort": "owner"},
    "UserOwned": {"policy": "user_owned"},
    "UnknownOwner": {"policy": "unknown_owner"},
    "Unused": {"policy": "unused_for"},
    "CreationBurst": {"sort": "age"},
    "NewCloudOrGlobalKey": {"api_key": "KEY1"},
    "QuotaHigh": {"owner": "sa-1", "resource": "lkc-1"},
    "QuotaCritical": {"owner": "sa-1", "resource": "lkc-1"},
    "QuotaFullWithinAWeek": {"owner": "sa-1", "resource": "lkc-1", "sort": "age"},
}
"""The query after the organization, by the name of the alert without its prefix."""
LABELS = {
    "job": "confluent-api-keys",
    "organization": "acme",
    "owner_id": "sa-1",
    "resource_id": "lkc-1",
    "api_key_id": "KEY1",
}
"""Those of the alerts, as far as each has them."""
UNUSUAL = """a b&c=d+e%2F#f?"g'\\h/é~.-_"""

Labels = dict[str, str]


def page(**changed: str) -> Labels:
    """Return the labels of the metric that tells the URL of the page."""
    usual = {"job": "confluent-api-keys", "instance": "a:10049", "organization": "acme", "url": URL}
    return usual | changed


def check(
    folder: Path, pages: Sequence[Labels], urls: Mapping[str, str], labels: Labels = LABELS
) -> None:
    """Check that ``urls`` are what the ``keys_url`` of the alerts expand to, by the short name.

    Each alert is reduced to a series with its labels out of ``labels``, because only they and
    ``pages``, the labels of the metric that tells the URL, determine its link.
    """
    rules, firing, expected = [], [], []
    for short, url in urls.items():
        name = f"ConfluentApiKeys{short}"
        link, own = ALERTS[name]["annotations"]["keys_url"], labels_of(ALERTS[name]["expr"])
        has = {"alert": name} | {key: value for key, value in labels.items() if key in own}
        rules.append(
            {
                "alert": name,
                "expr": f'firing{{alert="{name}"}}',
                "annotations": {"keys_url": link},
            }
        )
        firing.append(has)
        alerts = [{"exp_labels": has, "exp_annotations": {"keys_url": url}}]
        expected.append({"eval_time": "5m", "alertname": name, "exp_alerts": alerts})
    case = {
        "interval": "1m",
        "input_series": [
            *(series("confluent_cloud_keys_page_info", each) for each in pages),
            *(series("firing", each) for each in firing),
        ],
        "alert_rule_test": expected,
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    cases = folder / "cases.yml"
    cases.write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]})
    )
    promtool("test", "rules", cases)


def series(name: str, labels: Labels) -> Labels:
    """Return an input series of promtool that is always 1."""
    quoted = [
        '{}="{}"'.format(label, value.replace("\\", r"\\").replace('"', r"\""))
        for label, value in labels.items()
    ]
    return {"series": f"{name}{{{', '.join(quoted)}}}", "values": "1x10"}


def test_every_alert_about_keys_links_to_them() -> None:
    linked = {name for name, rule in ALERTS.items() if "keys_url" in rule["annotations"]}
    assert linked == {f"ConfluentApiKeys{name}" for name in LINKS}


@pytest.mark.integration
def test_a_link_selects_the_keys_of_the_alert(tmp_path: Path) -> None:
    urls = {
        name: "&".join(
            [f"{URL}?organization=acme", *(f"{key}={value}" for key, value in query.items())]
        )
        for name, query in LINKS.items()
    }
    assert urls["Expired"] == f"{URL}?organization=acme&policy=expired&sort=-expiry"
    check(tmp_path, [page()], urls)


@pytest.mark.parametrize("name", LINKS)
def test_the_page_accepts_the_query_of_a_link(name: str) -> None:
    query = LINKS[name]
    parsed = parse_query(urlencode({"organization": "acme"} | query).encode(), paged=True)
    assert (parsed.sorting is not None) == ("sort" in query)
    assert {key: value for key, (value,) in parsed.filters.items()} == {"organization": "acme"} | {
        key: value for key, value in query.items() if key != "sort"
    }


@pytest.mark.integration
def test_a_link_selects_no_owner_or_resource_that_the_alert_does_not_have(tmp_path: Path) -> None:
    urls = {
        "ExpiringVerySoon": f"{URL}?organization=acme&policy=expires_within&sort=expiry",
        "QuotaHigh": f"{URL}?organization=acme",
    }
    without = {key: value for key, value in LABELS.items() if not key.endswith("_id")}
    check(tmp_path, [page()], urls, without)


@pytest.mark.integration
def test_a_link_escapes_what_a_label_may_contain(tmp_path: Path) -> None:
    changed = dict.fromkeys(("owner", "resource", "api_key"), UNUSUAL)
    urls = {}
    for name, query in LINKS.items():
        unusual = {key: changed.get(key, value) for key, value in query.items()}
        urls[name] = f"{URL}?{urlencode({'organization': UNUSUAL} | unusual)}"
    labels = dict.fromkeys(LABELS, UNUSUAL)
    check(tmp_path, [page(job=UNUSUAL, organization=UNUSUAL)], urls, labels)


@pytest.mark.integration
@pytest.mark.parametrize(
    "pages",
    [[], [page(organization="globex")], [page(job="another")]],
    ids=["no page", "a page for another organization", "a page of another job"],
)
def test_without_the_page_the_links_are_empty(pages: Any, tmp_path: Path) -> None:
    check(tmp_path, pages, dict.fromkeys(LINKS, ""))


@pytest.mark.integration
@pytest.mark.parametrize("second", [URL, "https://second.team.example/keys"])
def test_two_replicas_give_one_link(second: str, tmp_path: Path) -> None:
    """If their URLs differ, it is the first in alphabetical order, not one after the other."""
    replicas = [page(instance="b:10049", url=second), page(instance="a:10049")]
    check(tmp_path, replicas, {"UserOwned": f"{URL}?organization=acme&policy=user_owned"})
