"""A real Prometheus that scrapes what a test gives it."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.programs import eventually, program, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, promql: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the instant vector of ``promql``, by sorted labels without the name."""
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': promql})}") as response:  # noqa: S310 # our own http URL
            answer = json.load(response)
        assert answer["data"]["resultType"] == "vector"
        return {
            tuple(sorted((k, v) for k, v in each["metric"].items() if k != "__name__")): float(
                each["value"][1]
            )
            for each in answer["data"]["result"]
        }

    def value(self, promql: str) -> float | None:
        """Return the one value of ``promql``, None if there is none."""
        found = list(self.query(promql).values())
        assert len(found) <= 1, found
        return found[0] if found else None

    def becomes(self, promql: str, expected: float) -> None:
        """Return when ``promql`` has the value; fail after some patience."""
        eventually(lambda: self.value(promql) == expected, what=f"{promql} == {expected}")


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes ``target`` (host:port) every second as job ``exporter``."""
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"  - {{job_name: exporter, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    server = Prometheus(f"http://127.0.0.1:{port}")
    with started(*command, log=folder / "prometheus.log"):
        eventually(lambda: _is_ready(server), what="Prometheus is ready")
        yield server


def _is_ready(server: Prometheus) -> bool:
    try:
        with urlopen(f"{server.url}/-/ready") as response:  # noqa: S310 # our own http URL
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
