"""A real Prometheus scrapes an exporter with TLS and users as the ServiceMonitor says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest

from tests.chart.helm import CHART, NAMESPACE, arguments_of, rendered
from tests.chart.mounts import mount, secrets_with_certificate
from tests.programs import EXPORTER, eventually, free_address, is_ready, started
from tests.prometheus.server import prometheus
from tests.web.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chart.helm import Manifest

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

PASSWORD = "made-up"


def job_of(monitor: Manifest, *, secrets: dict[str, str]) -> dict[str, Any]:
    """Return the settings of the job that the operator makes from a ServiceMonitor.

    ``secrets``: the file or the value for each key of a Secret.
    """
    [endpoint] = monitor["spec"]["endpoints"]
    tls, user = endpoint["tlsConfig"], endpoint["basicAuth"]
    return {
        "scheme": endpoint["scheme"],
        "metrics_path": endpoint["path"],
        "honor_labels": endpoint["honorLabels"],
        "tls_config": {
            "ca_file": secrets[tls["ca"]["secret"]["key"]],
            "server_name": tls["serverName"],
        },
        "basic_auth": {name: secrets[user[name]["key"]] for name in ("username", "password")},
        "relabel_configs": [{"target_label": "endpoint", "replacement": endpoint["port"]}],
    }


def test_the_monitor_fits_the_exporter(tmp_path: Path) -> None:
    nowhere = {"url": f"http://{free_address()}", "refresh_timeout": "1s"}
    users = {"prometheus": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}
    release = rendered(
        CHART / "ci" / "monitoring-values.yaml",
        values={"config": {"defaults": nowhere}, "web": {"config": {"basic_auth_users": users}}},
    )
    authority = Authority(tmp_path)
    chain, key = authority.issue("exporter.example.com", file="server")
    [pod] = release.pods()
    mount(pod, release, secrets_with_certificate(chain, key), below=tmp_path / "pod")
    metrics, probes = free_address(), free_address()
    arguments = [
        each.replace("=/etc/", f"={tmp_path}/pod/etc/")
        .replace("=:10049", f"={metrics}")
        .replace("=:10050", f"={probes}")
        for each in arguments_of(pod)
    ]
    monitor = release.only("ServiceMonitor", "exporter")
    assert monitor["metadata"]["namespace"] != NAMESPACE
    secrets = {"ca.crt": str(authority.certificate), "username": "prometheus"}
    job = job_of(monitor, secrets=secrets | {"password": PASSWORD})
    lines = "\n".join(f"{name}: {json.dumps(value)}" for name, value in job.items())
    with (
        started(*EXPORTER, *arguments, log=tmp_path / "log"),
        prometheus(metrics, tmp_path, job="keys", scheme=lines) as server,
    ):
        eventually(lambda: is_ready(probes), what="the exporter is ready")
        server.becomes("up", 1)
        of_the_exporter = "confluent_cloud_api_request_failures_total"
        server.becomes(f'count({of_the_exporter}{{endpoint="/iam/v2/api-keys"}}) > bool 0', 1)
        assert server.value(f'count({of_the_exporter}{{exported_endpoint!=""}})') is None
        server.becomes('confluent_cloud_up{collector="api_keys", endpoint="metrics"}', 0)
