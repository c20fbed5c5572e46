"""A real Alertmanager that a test's Prometheus sends its alerts to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.programs import eventually, free_address, is_ready, program, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Alert:
    """What Alertmanager knows of an alert."""

    labels: dict[str, str]
    annotations: dict[str, str]
    inhibited: bool


@dataclass(frozen=True)
class Alertmanager:
    address: str

    def alerts(self, name: str, **labels: str) -> list[Alert]:
        """Return the firing alerts of that name and with those labels."""
        filters = [f'{label}="{value}"' for label, value in {"alertname": name, **labels}.items()]
        found = self._get(f"/api/v2/alerts?{urlencode({'filter': filters}, doseq=True)}")
        return [
            Alert(each["labels"], each["annotations"], bool(each["status"]["inhibitedBy"]))
            for each in found
        ]

    def gets(self, name: str, **labels: str) -> Alert:
        """Return the one alert of that name and with those labels, as soon as it is there."""
        eventually(lambda: bool(self.alerts(name, **labels)), what=f"{name} {labels} is alerted")
        (alert,) = self.alerts(name, **labels)
        return alert

    def _get(self, path: str) -> Any:
        with urlopen(f"http://{self.address}{path}") as response:
            return json.load(response)


@contextmanager
def alertmanager(config: Path, folder: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager with the configuration file ``config``, without a cluster."""
    address = free_address()
    command = (
        program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    server = Alertmanager(address)
    with started(*command, log=folder / "alertmanager.log"):
        eventually(lambda: is_ready(address), what="Alertmanager is ready")
        yield server
