"""``compose.yaml``: its services and the files of this repository that they mount."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from tests.programs import ROOT

COMPOSE = ROOT / "compose.yaml"
TRIAL_IMAGE = "confluent-api-keys-exporter:trial"


def read_yaml(path: Path) -> Any:
    """Return the document at ``path`` with the defaults of its variables filled in."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text()))


DOCUMENT = read_yaml(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
ENVIRON: dict[str, str] = SERVICES["exporter"]["environment"]


@dataclass(frozen=True)
class Mount:
    """One entry of ``volumes``: a folder of this repository, or a named volume."""

    source: str
    target: PurePosixPath
    mode: str

    @property
    def is_volume(self) -> bool:
        return self.source in DOCUMENT["volumes"]


def mounts(service: str) -> list[Mount]:
    entries = [each.split(":") for each in SERVICES[service].get("volumes", ())]
    return [
        Mount(source, PurePosixPath(target), ":".join(mode)) for source, target, *mode in entries
    ]


def found_by(service: str, path: str, *, root: Path = ROOT) -> Path:
    """Return the file at ``path`` in the container of ``service``, with mounts from ``root``."""
    for mount in mounts(service):
        if PurePosixPath(path).is_relative_to(mount.target):
            return root / mount.source / PurePosixPath(path).relative_to(mount.target)
    pytest.fail(f"nothing is mounted at {path} of {service}")


def command(service: str) -> list[str]:
    """Return the arguments of ``service``."""
    return list(SERVICES[service]["command"])


def flag(service: str, name: str) -> str:
    (value,) = [each.partition("=")[2] for each in command(service) if each.startswith(f"{name}=")]
    return value


PROMETHEUS_CONFIG = found_by("prometheus", flag("prometheus", "--config.file"))
ALERTMANAGER_CONFIG = found_by("alertmanager", flag("alertmanager", "--config.file"))
EXPORTER_CONFIG = found_by("exporter", flag("exporter", "--config.file"))
WEB_CONFIG = found_by("exporter", flag("exporter", "--web.config.file"))
EXTERNAL_URL = flag("exporter", "--web.external-url")
LOGIN: dict[str, str] = read_yaml(PROMETHEUS_CONFIG)["scrape_configs"][0]["basic_auth"]
"""The ``username`` and ``password`` with which Prometheus scrapes the exporter."""
DATASOURCES = found_by("grafana", "/etc/grafana/provisioning/datasources")
PROVIDERS = found_by("grafana", "/etc/grafana/provisioning/dashboards")
