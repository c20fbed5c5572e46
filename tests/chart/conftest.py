from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.chart.helm import rendered_file
from tests.chart.rules import CHANGED, alerts_in, groups_of
from tests.web.certificates import Authority

if TYPE_CHECKING:
    from tests.chart.mounts import Files

API_KEY = {"api-key": b"ABCDEFGHIJKLMNOP", "api-secret": b"made-up-secret"}
USERS = b"basic_auth_users: {a: $2y$10$Szclxo2qSePJoPusCdD6n.HW1zpZdY65ST89B70B1zq.0I2cguYQ2}\n"
TLS = b"tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"


@pytest.fixture(scope="session")
def existing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """What the values of ``ci`` and docs/kubernetes.md name and the chart does not create."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    ca = {"ca.crt": authority.certificate.read_bytes()}
    chain, key = authority.server()
    certificate = {"tls.crt": chain.read_bytes(), "tls.key": key.read_bytes()}
    return {
        **dict.fromkeys(("acme-api-key", "globex-api-key"), API_KEY),
        "hooli-api-key": {"id": b"HOOLI", "secret": b"made-up-secret"},
        "initech-client": dict.fromkeys(("secret", "client-secret"), b"made-up-secret"),
        "umbrella-client": {"client-secret": b"made-up-secret"},
        "exporter-web": {"web.yaml": USERS + TLS},
        "exporter-tls": certificate,
        "ca": ca,
        "corporate-ca": ca,
    }


@pytest.fixture(scope="session")
def changed_alerts() -> dict[str, Any]:
    """The alerts with everything changed. Tests must not change them."""
    return alerts_in(groups_of(rendered_file(CHANGED)))
