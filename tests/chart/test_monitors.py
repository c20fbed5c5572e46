"""The monitors and dashboards of the chart, and its package."""

from __future__ import annotations

import copy
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cloudcoil.models.prometheus_operator import v1

from tests.chart.helm import (
    CHART,
    FULLNAME,
    NAMESPACE,
    Rendered,
    rendered,
    rendered_file,
    run_helm,
)
from tests.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chart.helm import Manifest

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

CI = CHART / "ci"
KINDS = "ServiceMonitor", "PodMonitor", "PrometheusRule"
ORGANIZATION = {"name": "acme", "credentials": {"existingSecret": {"name": "acme"}}}
FILES = [CI / "monitoring-values.yaml", CI / "pod-monitor-values.yaml"]
USER = {
    "username": {"name": "exporter-user", "key": "username"},
    "password": {"name": "exporter-user", "key": "password"},
}


@pytest.fixture(scope="module")
def default() -> Rendered:
    """Everything for monitoring, otherwise with defaults, over three shards."""
    sections = "serviceMonitor", "podMonitor", "prometheusRule", "dashboards"
    enabled = {section: {"enabled": True} for section in sections}
    return rendered(values=enabled | {"shards": 3, "organizations": [ORGANIZATION]})


def read_by_the_operator(manifest: Manifest) -> Manifest:
    """Return the fields of a manifest that the Prometheus Operator's resources have."""
    model: Any = getattr(v1, manifest["kind"])
    fields: Manifest = model.model_validate(manifest).model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    return fields


def endpoint_of(manifest: Manifest) -> dict[str, Any]:
    """Return the only endpoint of a monitor."""
    field = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}
    [endpoint] = manifest["spec"][field[manifest["kind"]]]
    assert isinstance(endpoint, dict)
    return endpoint


def test_the_operator_knows_each_field(default: Rendered) -> None:
    manifests = [
        manifest
        for release in (default, *map(rendered_file, FILES))
        for manifest in release.of_kind(*KINDS)
    ]
    assert len(manifests) == 3 + 3 + 2
    for manifest in manifests:
        assert read_by_the_operator(manifest) == manifest


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_a_field_that_the_operator_does_not_know_is_found(kind: str, default: Rendered) -> None:
    manifest = copy.deepcopy(default.only(kind))
    endpoint_of(manifest)["honourLabels"] = True
    assert read_by_the_operator(manifest) == default.only(kind)


def test_the_endpoint_is_scraped_with_the_labels_of_the_exporter(default: Rendered) -> None:
    """Otherwise, the operator's label `endpoint` would replace that of the exporter's metrics."""
    endpoint = {"port": "metrics", "path": "/metrics", "scheme": "http", "honorLabels": True}
    for kind in ("ServiceMonitor", "PodMonitor"):
        assert endpoint_of(default.only(kind)) == endpoint


def test_the_monitors_select_the_service_and_each_pod(default: Rendered) -> None:
    service = default.only("Service")
    assert len(default.of_kind("Service")) == 1
    assert len(default.pods()) == 3
    for kind, targets in (("ServiceMonitor", [service]), ("PodMonitor", default.pods())):
        spec = default.only(kind)["spec"]
        assert spec["namespaceSelector"] == {"matchNames": [NAMESPACE]}
        for target in targets:
            labels = target["metadata"]["labels"]
            assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert [port["name"] for port in service["spec"]["ports"]] == ["metrics"]
    for pod in default.pods():
        [container] = pod["spec"]["containers"]
        assert "metrics" in [port["name"] for port in container["ports"]]


def test_scrapes_use_tls_and_the_path_of_the_web_server() -> None:
    web = {"tls": {"existingSecret": "tls"}, "telemetryPath": "/m"}
    monitors = {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}
    release = rendered(
        values=monitors | {"web": web, "organizations": [ORGANIZATION]},
        only=["servicemonitor.yaml", "podmonitor.yaml"],
    )
    for kind in ("ServiceMonitor", "PodMonitor"):
        endpoint = endpoint_of(release.only(kind))
        assert (endpoint["scheme"], endpoint["path"]) == ("https", "/m")


def test_the_scheme_can_be_given_for_a_proxy_with_tls() -> None:
    release = rendered_file(CI / "pod-monitor-values.yaml")
    for monitor in release.of_kind("ServiceMonitor", "PodMonitor"):
        assert endpoint_of(monitor)["scheme"] == "https"


@pytest.mark.parametrize(
    ("file", "kind", "section"),
    [
        ("monitoring", "ServiceMonitor", "serviceMonitor"),
        ("pod-monitor", "PodMonitor", "podMonitor"),
    ],
)
def test_the_settings_of_a_monitor_are_passed_on(file: str, kind: str, section: str) -> None:
    path = CI / f"{file}-values.yaml"
    values = yaml.safe_load(path.read_text())
    settings = values[section]
    del settings["enabled"]
    [manifest] = rendered_file(path).of_kind(kind)
    metadata = manifest["metadata"]
    assert metadata["namespace"] == settings.pop("namespace") == "observability"
    assert metadata["annotations"] == settings.pop("annotations")
    assert metadata["labels"].items() >= settings.pop("labels").items()
    assert manifest["spec"]["jobLabel"] == settings.pop("jobLabel")
    telemetry_path = values.get("web", {}).get("telemetryPath", "/metrics")
    rest = {"port": "metrics", "path": telemetry_path, "honorLabels": True}
    assert endpoint_of(manifest) == settings | rest


def test_both_kinds_of_monitors_log_in() -> None:
    release = rendered_file(CI / "monitoring-values.yaml")
    assert [endpoint_of(monitor)["basicAuth"] for monitor in release.of_kind(*KINDS[:2])] == [
        USER,
        USER,
    ]


# Dashboards


def dashboards(release: Rendered) -> list[Manifest]:
    return [each for each in release.of_kind("ConfigMap") if "-dashboard-" in str(each["metadata"])]


def test_each_dashboard_is_in_a_config_map_of_its_own(default: Rendered) -> None:
    files = {
        f"{FULLNAME}-dashboard-{file.stem}": file.read_bytes().decode()
        for file in (ROOT / "grafana" / "dashboards").glob("*.json")
    }
    assert len(files) == 2
    maps = dashboards(default)
    assert {each["metadata"]["name"]: [*each["data"].values()] for each in maps} == {
        name: [text] for name, text in files.items()
    }
    assert {key for each in maps for key in each["data"]} == {
        f"{json.loads(text)['uid']}.json" for text in files.values()
    }


def test_a_config_map_of_a_dashboard_can_be_applied(default: Rendered) -> None:
    """At most 1 MiB, and 256 KiB of annotations: ``kubectl apply`` keeps a copy in one."""
    for each in dashboards(default):
        assert len(json.dumps(each)) < 240 * 1024


def test_the_sidecar_finds_the_dashboards(default: Rendered) -> None:
    for each in dashboards(default):
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert "annotations" not in each["metadata"]
        assert each["metadata"]["namespace"] == NAMESPACE


def test_the_settings_of_dashboards_are_passed_on() -> None:
    maps = dashboards(rendered_file(CI / "monitoring-values.yaml"))
    assert len(maps) == 2
    for each in maps:
        metadata = each["metadata"]
        assert metadata["namespace"] == "observability"
        labels = {"dashboards": "yes", "example.com/tenant": "platform"}
        assert metadata["labels"].items() >= labels.items()
        assert "grafana_dashboard" not in metadata["labels"]
        assert metadata["annotations"] == {
            "example.com/folder": "Confluent Cloud",
            "example.com/owner": "platform",
        }


# The package


def test_the_package_has_the_files_that_the_links_lead_to(tmp_path: Path) -> None:
    done = run_helm("package", str(CHART), f"--destination={tmp_path}")
    assert done.returncode == 0, done.stderr
    [archive] = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as package:
        members = {each.name.partition("/")[2]: each for each in package.getmembers()}
        for folder, link in (("prometheus/rules", "rules"), ("grafana/dashboards", "dashboards")):
            for file in (ROOT / folder).iterdir():
                member = members[f"files/{link}/{file.name}"]
                content = package.extractfile(member)
                assert member.isreg()
                assert content is not None
                assert content.read() == file.read_bytes()
    values = f"--values={CI / 'monitoring-values.yaml'}"
    packaged, folder_ = (
        run_helm("template", "keys", str(chart), "--kube-version=1.34", values)
        for chart in (archive, CHART)
    )
    assert packaged.returncode == 0
    assert packaged.stdout == folder_.stdout
