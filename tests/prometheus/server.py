"""A real Prometheus that scrapes what a test gives it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.programs import eventually, free_address, is_ready, program, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


NO_TARGETS = "global: {}\n"
"""The configuration of a Prometheus that only answers queries."""


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        """Return the data of the HTTP API's answer; fail with what it says is wrong."""
        try:
            with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}") as response:  # noqa: S310 # our own http URL
                return json.load(response)["data"]
        except HTTPError as error:
            pytest.fail(f"{error.read().decode()} of {parameters}")

    def query(self, promql: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the instant vector of ``promql``, by sorted labels without the name."""
        data = self.ask("query", {"query": promql})
        assert data["resultType"] == "vector"
        return {
            tuple(sorted((k, v) for k, v in each["metric"].items() if k != "__name__")): float(
                each["value"][1]
            )
            for each in data["result"]
        }

    def value(self, promql: str) -> float | None:
        """Return the one value of ``promql``, None if there is none."""
        found = list(self.query(promql).values())
        assert len(found) <= 1, found
        return found[0] if found else None

    def becomes(self, promql: str, expected: float) -> None:
        """Return when ``promql`` has the value; fail after a timeout."""
        eventually(lambda: self.value(promql) == expected, what=f"{promql} == {expected}")


@contextmanager
def prometheus(
    target: str | Mapping[str, str],
    folder: Path,
    *,
    job: str = "exporter",
    scheme: str = "",
    more: str = "",
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes ``target`` (host:port) every second as ``job``.

    Several targets come by their label ``instance``. What is in ``folder / "data"`` is its past,
    ``scheme`` the lines of the job about TLS and users, and ``more`` is more of its configuration.
    """
    targets = {target: target} if isinstance(target, str) else target
    config = (
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        "scrape_configs:\n"
        f"- job_name: {job}\n"
        + "".join(f"  {line}\n" for line in scheme.splitlines())
        + "  static_configs:\n"
        + "".join(
            f"  - {{targets: ['{address}'], labels: {{instance: '{instance}'}}}}\n"
            for instance, address in targets.items()
        )
        + more
    )
    with prometheus_with(config, folder) as server:
        yield server


@contextmanager
def prometheus_with(config: str, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus with the configuration ``config`` on the data in ``folder / "data"``."""
    file, address = folder / "prometheus.yml", free_address()
    file.write_text(config)
    command = (
        program("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        # Nothing is compacted meanwhile: what it would save is not worth a test's time.
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
    )
    with started(*command, log=folder / "prometheus.log"):
        eventually(lambda: is_ready(address), what="Prometheus is ready")
        yield Prometheus(f"http://{address}")
