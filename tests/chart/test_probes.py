"""The exporter runs with the files and arguments of a pod, and the kubelet's probes reach it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.chart.helm import CHART, arguments_of, rendered
from tests.chart.mounts import mount, secrets_with_certificate
from tests.programs import EXPORTER, eventually, free_address, is_ready, started
from tests.web.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]


def test_the_probes_need_neither_tls_nor_a_user(tmp_path: Path) -> None:
    nowhere = {"url": f"http://{free_address()}", "refresh_timeout": "1s"}
    release = rendered(CHART / "ci" / "web-values.yaml", values={"config": {"defaults": nowhere}})
    [pod] = release.pods()
    [container] = pod["spec"]["containers"]
    chain, key = Authority(tmp_path).server()
    mount(pod, release, secrets_with_certificate(chain, key), below=tmp_path / "pod")
    metrics, probes = free_address(), free_address()
    arguments = [
        each.replace("=/etc/", f"={tmp_path}/pod/etc/")
        .replace("=:8443", f"={metrics}")
        .replace("=:8081", f"={probes}")
        for each in arguments_of(pod)
    ]
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("readiness", "liveness")}
    with started(*EXPORTER, *arguments, log=tmp_path / "log"):
        eventually(lambda: is_ready(probes), what="the exporter is ready")
        for path in paths:
            with urlopen(f"http://{probes}{path}") as response:
                assert response.status == 200
        with pytest.raises(HTTPError) as caught:
            urlopen(f"https://{metrics}/internal/metrics", context=_unverified())
        assert caught.value.code == 401
        caught.value.close()


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
