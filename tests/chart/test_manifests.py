"""What Kubernetes gets from the chart."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from exporter.config import parse
from exporter.version import PROJECT_URL, __version__
from tests.chart.helm import (
    CHART,
    FULLNAME,
    NAMESPACE,
    RELEASE,
    VALUE_FILES,
    rendered,
    rendered_file,
    run_template,
)
from tests.chart.kubernetes import newest_versions, problems_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chart.helm import Manifest

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

CI = CHART / "ci"
OPERATOR = "monitoring.coreos.com"
ORGANIZATIONS = [{"name": "acme", "credentials": {"apiKey": "KEY", "apiSecret": "old"}}]
_PORTS = {"https": 443, "http": 80}
each_file = pytest.mark.parametrize("file", VALUE_FILES, ids=lambda file: file.stem)


def container_of(pod: Manifest) -> dict[str, Any]:
    [container] = pod["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def test_the_versions_of_the_chart_are_that_of_the_exporter() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert chart["home"] == PROJECT_URL


@pytest.mark.parametrize("version", newest_versions(3))
def test_each_manifest_is_valid_in_kubernetes(version: str) -> None:
    manifests = {
        json.dumps(manifest): manifest
        for file in VALUE_FILES
        for manifest in rendered_file(file).manifests
        if OPERATOR not in manifest["apiVersion"]
    }
    assert len(manifests) > 30
    found = [
        (each["kind"], problem)
        for each in manifests.values()
        for problem in problems_of(each, version=version)
    ]
    assert found == []


def test_the_schemas_reject_an_unknown_field() -> None:
    manifest = copy.deepcopy(rendered_file(CI / "api-key-values.yaml").only("Deployment"))
    manifest["spec"]["template"]["spec"]["containers"][0]["image2"] = "a"
    [problem] = problems_of(manifest, version=newest_versions(1)[0])
    assert problem == (
        "$.spec.template.spec.containers[0]: Additional properties are not allowed ('image2' was"
        " unexpected)"
    )


@each_file
def test_each_manifest_has_the_labels_and_a_unique_name(file: Path) -> None:
    manifests = [
        each
        for each in rendered_file(file).manifests
        if not each["metadata"]["name"].endswith("-as-mapping")
    ]
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(names)) == len(names)
    for each in manifests:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == RELEASE
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert each["metadata"].get("namespace", NAMESPACE) in {NAMESPACE, "observability"}


@each_file
def test_the_probes_use_their_own_plain_port(file: Path) -> None:
    for pod in rendered_file(file).pods():
        container = container_of(pod)
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert f"--web.probe-listen-address=:{ports['probes']}" in container["args"]
        assert f"--web.listen-address=:{ports['metrics']}" in container["args"]
        paths = {"liveness": "/-/healthy", "readiness": "/-/ready", "startup": "/-/healthy"}
        for kind, path in paths.items():
            assert container[f"{kind}Probe"]["httpGet"] == {"path": path, "port": "probes"}


def test_one_deployment_stops_the_old_pod_first() -> None:
    release = rendered_file(CI / "api-key-values.yaml")
    assert release.only("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert len(release.workloads()) == 1
    assert [each["kind"] for each in release.manifests] == [
        "ServiceAccount",
        "ConfigMap",
        "Service",
        "Deployment",
    ]


@pytest.mark.parametrize(
    ("changed", "checksum"),
    [
        ({"config": {"defaults": {"refresh_interval": "10m"}}}, "checksum/config"),
        (
            {"organizations": [{**ORGANIZATIONS[0], "settings": {"page_size": 9}}]},
            "checksum/config",
        ),
        ({"web": {"config": {"rate_limit": {"burst": 2}}}}, "checksum/web"),
    ],
)
def test_a_change_replaces_the_pod(changed: dict[str, Any], checksum: str) -> None:
    before, after = (
        rendered(values={"organizations": ORGANIZATIONS} | more, only=["deployment.yaml"])
        for more in ({}, changed)
    )
    [old], [new] = before.pods(), after.pods()
    annotations = old["metadata"]["annotations"], new["metadata"]["annotations"]
    differing = [key for key in annotations[0] if annotations[0][key] != annotations[1][key]]
    assert differing == [checksum]


def test_the_same_values_do_not_replace_the_pod() -> None:
    runs = [rendered(values={"organizations": ORGANIZATIONS}).manifests for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_section_whose_lines_are_comments_is_empty() -> None:
    """YAML reads it as null, with which helm removes the default."""
    values = {"organizations": ORGANIZATIONS, "persistence": {"enabled": True}}
    null = {"config": {"defaults": None, "teams": None}, "web": {"config": None}}
    assert rendered(values=values | null).manifests == rendered(values=values).manifests


def test_nothing_but_a_secret_depends_on_a_password() -> None:
    """Not even a checksum: everyone who can see it could try passwords until it matches."""

    def others(password: str) -> list[Manifest]:
        oauth = {"tokenUrl": "https://a.example/token", "clientId": "b", "clientSecret": password}
        credentials = {"identityPool": "pool-a", "oauth": oauth}
        values = {"organizations": [{"name": "acme", "credentials": credentials}]}
        return [each for each in rendered(values=values).manifests if each["kind"] != "Secret"]

    assert others("made-up-1") == others("made-up-2")


def test_an_upgrade_replaces_the_pod_of_a_shard_that_cannot_start() -> None:
    """With the default, OrderedReady, Kubernetes waits for the pod to become ready first."""
    for shard in rendered_file(CI / "shards-values.yaml").workloads():
        assert shard["spec"]["podManagementPolicy"] == "Parallel"


def test_labels_of_pods_and_of_the_service_take_precedence() -> None:
    values = {
        "organizations": ORGANIZATIONS,
        "commonLabels": {"team": "platform"},
        "podLabels": {"team": "network"},
        "service": {"labels": {"team": "edge"}},
    }
    release = rendered(values=values)
    # Some programs reject a label that occurs twice.
    assert run_template(values=values).stdout.count("team:") == len(release.manifests) + 1
    labelled = [*release.pods(), release.only("Service"), release.only("Deployment")]
    teams = [each["metadata"]["labels"]["team"] for each in labelled]
    assert teams == ["network", "edge", "platform"]


def test_the_network_policy_allows_dns_and_the_given_ports_only() -> None:
    release = rendered(
        values={"organizations": ORGANIZATIONS, "networkPolicy": {"enabled": True}},
        only=["networkpolicy.yaml"],
    )
    assert release.only("NetworkPolicy")["spec"] == {
        "podSelector": {
            "matchLabels": {
                "app.kubernetes.io/name": "confluent-api-keys-exporter",
                "app.kubernetes.io/instance": RELEASE,
            }
        },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": "metrics", "protocol": "TCP"}]}],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": [{"port": 443, "protocol": "TCP"}]},
        ],
    }


def test_the_network_policy_allows_the_ports_that_the_exporter_connects_to(tmp_path: Path) -> None:
    """Those of the API and STS, which share one address, and of the Metrics API."""
    environ = {"CONFLUENT_CLOUD_API_KEY": "K", "CONFLUENT_CLOUD_API_SECRET": "S"}
    text = "organizations: [{name: acme}]"
    (acme,) = parse(text, file="config", folder=tmp_path, environ=environ).organizations
    ports = {
        urlsplit(url).port or _PORTS[urlsplit(url).scheme] for url in (acme.url, acme.usage.url)
    }
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert ports == set(values["networkPolicy"]["egress"]["ports"])


def test_the_network_policy_restricts_peers_addresses_and_dns_servers() -> None:
    values = yaml.safe_load((CI / "network-values.yaml").read_text())["networkPolicy"]
    spec = rendered_file(CI / "network-values.yaml").only("NetworkPolicy")["spec"]
    assert spec["ingress"][0]["from"] == values["ingress"]["from"]
    dns, api, extra = spec["egress"]
    assert dns["to"] == values["egress"]["dns"]["to"]
    assert [each["port"] for each in dns["ports"]] == [5353, 5353]
    assert api == {
        "ports": [{"port": 443, "protocol": "TCP"}, {"port": 3128, "protocol": "TCP"}],
        "to": values["egress"]["to"],
    }
    assert [extra] == values["egress"]["extra"]


def test_zero_is_a_number_of_the_pod_disruption_budget() -> None:
    network, pod = (
        rendered_file(CI / name).only("PodDisruptionBudget")["spec"]
        for name in ("network-values.yaml", "pod-values.yaml")
    )
    assert (network["maxUnavailable"], network["unhealthyPodEvictionPolicy"]) == (0, "AlwaysAllow")
    assert pod["minAvailable"] == "100%"
    assert "maxUnavailable" not in pod
    budget = {"enabled": True, "minAvailable": 0}
    release = rendered(
        values={"organizations": ORGANIZATIONS, "podDisruptionBudget": budget},
        only=["poddisruptionbudget.yaml"],
    )
    assert release.only("PodDisruptionBudget")["spec"]["minAvailable"] == 0


def test_the_service_maps_its_port_to_that_of_the_metrics() -> None:
    spec = rendered_file(CI / "web-values.yaml").only("Service")["spec"]
    assert spec["type"] == "LoadBalancer"
    port = {"name": "metrics", "port": 443, "targetPort": "metrics", "protocol": "TCP"}
    assert spec["ports"] == [port]


def test_the_volume_for_the_state_files_is_mounted() -> None:
    release = rendered_file(CI / "usage-values.yaml")
    claim = release.only("PersistentVolumeClaim")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    [pod] = release.pods()
    assert {"name": "state", "persistentVolumeClaim": {"claimName": FULLNAME}} in pod["spec"][
        "volumes"
    ]


def test_a_digest_takes_precedence_over_a_tag() -> None:
    images = {}
    for name in ("api-key", "usage", "pod"):
        [pod] = rendered_file(CI / f"{name}-values.yaml").pods()
        images[name] = container_of(pod)["image"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    default = "registry.confluent-api-keys-exporter.example/confluent-api-keys-exporter"
    assert images == {
        "api-key": f"{default}:{chart['appVersion']}",
        "usage": f"{default}:0.2.0-custom",
        "pod": "registry.example.com:5000/mirror/api-keys-exporter@sha256:"
        + "0123456789abcdef" * 4,
    }


def test_settings_of_the_pod_are_passed_on() -> None:
    values = yaml.safe_load((CI / "pod-values.yaml").read_text())
    release = rendered_file(CI / "pod-values.yaml")
    [pod] = release.pods()
    names = "tolerations", "affinity", "topologySpreadConstraints", "dnsConfig", "hostAliases"
    more = "nodeSelector", "priorityClassName", "dnsPolicy", "terminationGracePeriodSeconds"
    for name in (*names, *more, "imagePullSecrets"):
        assert pod["spec"][name] == values[name]
    container = container_of(pod)
    assert (container["env"], container["envFrom"], container["resources"]) == (
        values["extraEnv"],
        values["extraEnvFrom"],
        values["resources"],
    )
    assert pod["metadata"]["labels"].items() >= {"network": "egress", "team": "platform"}.items()
    assert pod["metadata"]["annotations"]["example.com/scrape"] == "false"
    assert pod["spec"]["securityContext"]["runAsUser"] == 10001


def test_templates_in_further_manifests_are_rendered() -> None:
    release = rendered_file(CI / "pod-values.yaml")
    assert release.only("ConfigMap", f"{FULLNAME}-as-mapping")["metadata"]["labels"] == {
        "shards": "1"
    }
    assert release.only("ConfigMap", f"{FULLNAME}-as-text")["metadata"]["labels"]["team"] == (
        "platform"
    )


def test_names_that_look_like_numbers_remain_text() -> None:
    values = {
        "nameOverride": "1",
        "organizations": [
            {"name": "7", "credentials": {"existingSecret": {"name": "8", "apiKeyKey": "9"}}}
        ],
        "web": {"existingSecret": "10", "tls": {"existingSecret": "11"}},
        "serviceAccount": {"name": "12"},
        "persistence": {"enabled": True, "size": "13", "storageClass": "14"},
        "priorityClassName": "15",
        "image": {"tag": "16"},
        "podLabels": {"a": "17"},
    }
    manifests = rendered(values=values, arguments=["--namespace=18"]).manifests
    [version] = newest_versions(1)
    assert [problem for each in manifests for problem in problems_of(each, version=version)] == []


def test_names_that_yaml_reads_as_booleans_remain_text() -> None:
    values = {"fullnameOverride": "on", "organizations": ORGANIZATIONS}
    names = {each["metadata"]["name"] for each in rendered(values=values).manifests}
    assert names == {"on", "on-acme-822b33ad"}


def test_names_of_the_longest_release_fit() -> None:
    """The name of a StatefulSet has 52 characters at most, so that a hash fits into a label."""
    values = {"shards": 11, "organizations": ORGANIZATIONS, "fullnameOverride": "n" * 60}
    sets = rendered(values=values, only=["statefulsets.yaml"]).workloads()
    assert len(sets) == 11
    assert max(len(each["metadata"]["name"]) for each in sets) == 52
