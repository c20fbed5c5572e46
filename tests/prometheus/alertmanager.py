"""A real Alertmanager: what it is told, what it knows, and whom it notifies."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.compose_file import ALERTMANAGER_CONFIG
from tests.programs import eventually, free_address, is_ready, program, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TEAMS_CONFIG = ALERTMANAGER_CONFIG.with_name("teams.example.yml")


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


def post(server: Alertmanager, *alerts: Mapping[str, str], ended: bool = False) -> None:
    """Tell ``server`` the labels of ``alerts``, as Prometheus does at every evaluation."""
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:01Z"} if ended else {}
    body = [{"labels": each, **times} for each in alerts]
    request = Request(
        f"http://{server.address}/api/v2/alerts",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request):  # noqa: S310 # our own http URL
        pass


@dataclass(frozen=True)
class Notification:
    """What the webhook of a receiver is told at once: the labels and the status of each alert.

    ``descriptions``: those of the alerts, in the same order.
    """

    receiver: str
    alerts: list[tuple[dict[str, str], str]]
    descriptions: list[str] = field(default_factory=list, compare=False)


@contextmanager
def notified(folder: Path, config: Path) -> Iterator[tuple[Alertmanager, Queue[Notification]]]:
    """Run an Alertmanager with ``config`` in a hurry; yield it and all notifications, in order.

    Each receiver has a webhook of its own.
    """
    told: Queue[Notification] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the library calls
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            alerts = [(each["labels"], each["status"]) for each in body["alerts"]]
            descriptions = [each["annotations"].get("description", "") for each in body["alerts"]]
            told.put(Notification(self.path.removeprefix("/"), alerts, descriptions))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = Thread(target=receiver.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{receiver.server_port}"
        text = config.read_text()
        for pattern, instead in (
            (r"group_wait: 30s", "group_wait: 1ms"),
            (r"group_interval: 5m", "group_interval: 100ms"),
            (r"(?m)^  - name: (\w+)\n", rf"\g<0>    webhook_configs: [{{url: '{url}/\1'}}]\n"),
        ):
            text, changed = re.subn(pattern, instead, text)
            assert changed
        rushed = folder / "alertmanager.yml"
        rushed.write_text(text)
        try:
            with alertmanager(rushed, folder) as server:
                yield server, told
        finally:
            receiver.shutdown()
            thread.join()
