"""The alerts on the exporter itself match the jobs that scrape the release."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.chart.helm import NAMESPACE, Rendered, rendered
from tests.chart.rules import (
    ORGANIZATION,
    alerts_in,
    groups_of,
)

if TYPE_CHECKING:
    from tests.chart.helm import Manifest

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]


def job_of(monitor: Manifest, release: Rendered) -> str:
    """Return the job that the operator names, as its API reference says of `jobLabel`."""
    label = monitor["spec"].get("jobLabel", "")
    if monitor["kind"] == "ServiceMonitor":
        service = release.of_kind("Service")[0]["metadata"]
        return str(service["labels"].get(label, service["name"]))
    [pod] = release.pods()
    default = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    return str(pod["metadata"]["labels"].get(label, default))


ENABLED = {"enabled": True}


@pytest.mark.parametrize(
    ("values", "expression", "jobs"),
    [
        (
            {"serviceMonitor": ENABLED, "podMonitor": ENABLED},
            ".*confluent-api-keys.*",
            ["keys-confluent-api-keys-exporter", "monitoring/keys-confluent-api-keys-exporter"],
        ),
        (
            {"serviceMonitor": ENABLED, "podMonitor": ENABLED, "fullnameOverride": "quotas"},
            f".*confluent-api-keys.*|{NAMESPACE}/quotas|quotas",
            ["quotas", f"{NAMESPACE}/quotas"],
        ),
        (
            {"podMonitor": ENABLED | {"namespace": "prom"}, "nameOverride": "exporter"},
            ".*confluent-api-keys.*|prom/keys-exporter",
            ["prom/keys-exporter"],
        ),
        (
            {
                "serviceMonitor": ENABLED | {"jobLabel": "tier"},
                "service": {"labels": {"tier": "a.b"}},
            },
            r".*confluent-api-keys.*|a\\.b",
            ["a.b"],
        ),
        (
            {"podMonitor": ENABLED | {"jobLabel": "tier"}, "podLabels": {"tier": "a.b"}},
            r".*confluent-api-keys.*|a\\.b",
            ["a.b"],
        ),
        (
            {"serviceMonitor": ENABLED | {"jobLabel": "none"}, "fullnameOverride": "quotas"},
            ".*confluent-api-keys.*|quotas",
            ["quotas"],
        ),
        (
            {"serviceMonitor": ENABLED | {"jobLabel": "app.kubernetes.io/instance"}},
            ".*confluent-api-keys.*|keys",
            ["keys"],
        ),
    ],
)
def test_the_alerts_on_the_exporter_match_the_jobs_of_the_release(
    values: dict[str, Any], expression: str, jobs: list[str]
) -> None:
    release = rendered(values=values | {"prometheusRule": ENABLED, "organizations": [ORGANIZATION]})
    monitors = release.of_kind("ServiceMonitor", "PodMonitor")
    assert {job_of(monitor, release) for monitor in monitors} == set(jobs)
    for name in ("ConfluentApiKeysExporterDown", "ConfluentApiKeysExporterAbsent"):
        [matcher] = re.findall(r'job=~"(.*?)"', alerts_in(groups_of(release))[name]["expr"])
        assert matcher == expression
        for job in jobs:
            assert re.fullmatch(matcher.replace("\\\\", "\\"), job)


def test_the_jobs_can_be_given(changed_alerts: dict[str, Any]) -> None:
    expected = 'max_over_time(up{job=~"keys|.*-exporter"}[5m]) == 0'
    assert changed_alerts["ConfluentApiKeysExporterDown"]["expr"] == expected
    absent = changed_alerts["ConfluentApiKeysExporterAbsent"]
    assert absent["expr"] == 'absent(up{job=~"keys|.*-exporter"})'
    assert (
        "in a job whose name matches keys|.*-exporter for" in absent["annotations"]["description"]
    )
