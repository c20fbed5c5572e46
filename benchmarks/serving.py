"""What is scraped: the exporter with pairs of a given number, and the yardsticks with the same."""

from __future__ import annotations

import re
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import yaml

from benchmarks.measure import PATIENCE, PYTHON, configuration, exporter, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.measure import Running

LIBRARY, CEILING = "start_http_server", "bare uvicorn"
_URL = r"(http://\S+)"
_POLL = 0.02  # seconds


@dataclass(frozen=True)
class Size:
    """Organizations that the exporter shows with so many series together."""

    organizations: int
    pairs: int
    """Pair series of each organization, the one of what was collapsed included."""

    @property
    def series(self) -> int:
        """Of pairs, all together."""
        return self.organizations * self.pairs


@contextmanager
def serving(size: Size, *, quiet: str, busy: str = "") -> Iterator[Running]:
    """Run the exporter with all its pairs, of the APIs at these addresses; ``found`` is its own.

    ``busy`` has a large organization, which is refreshed without a pause in place of a quiet one.
    """
    number = size.organizations - bool(busy)
    organizations = _organizations(quiet, number, prefix="quiet", interval="1h", size=size)
    if busy:
        organizations += _organizations(busy, 1, prefix="busy", interval="1s", size=size)
    with exporter(yaml.safe_dump({"organizations": organizations})) as process:
        wait_until_ready(process.found)
        yield process


def _organizations(
    api: str, number: int, *, prefix: str, interval: str, size: Size
) -> list[object]:
    """Return organizations that need no defaults, so that they go with others."""
    document = yaml.safe_load(
        configuration(
            api,
            number,
            refresh_interval=interval,
            refresh_timeout="2m",
            stale_after="2h",
            max_pairs=size.pairs - 1,
        )
    )
    defaults = document.get("defaults", {})
    return [
        {**defaults, **each, "name": f"{prefix}-{position}"}
        for position, each in enumerate(document["organizations"])
    ]


def wait_until_ready(url: str) -> float:
    """Return the seconds until every organization was refreshed once."""
    began = time.monotonic()
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        while client.get(f"{url}/-/ready").status_code != httpx.codes.OK:
            if time.monotonic() > began + PATIENCE:
                raise TimeoutError(f"not ready after {PATIENCE:.0f} s")
            time.sleep(_POLL)
    return time.monotonic() - began


@contextmanager
def yardsticks(size: Size, url: str, *, library: bool) -> Iterator[Mapping[str, str]]:
    """Run the yardsticks with what is at ``url``; yield their addresses by name.

    Raises ``RuntimeError`` if the exporter has other pairs than it should.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        plain, compressed = Path(folder, "plain"), Path(folder, "compressed")
        plain.write_bytes(body(url, encoding="identity"))
        compressed.write_bytes(body(url, encoding="gzip"))
        found = len(re.findall(rb"(?m)^confluent_cloud_api_keys\{", plain.read_bytes()))
        if found != size.series:
            raise RuntimeError(f"{found} pair series, not {size.series}")
        commands: dict[str, tuple[str, ...]] = {
            CEILING: ("benchmarks.ceiling", str(compressed), "--gzip")
        }
        if library:
            commands = {LIBRARY: ("benchmarks.library", str(plain)), **commands}
        yield {
            name: stack.enter_context(running(PYTHON, "-m", *command, ready=_URL)).found
            for name, command in commands.items()
        }


def body(url: str, *, encoding: str) -> bytes:
    """Return what a scrape gets, as it comes."""
    headers = {"Accept": "text/plain", "Accept-Encoding": encoding}
    with (
        httpx.Client(trust_env=False, timeout=PATIENCE) as client,
        client.stream("GET", f"{url}/metrics", headers=headers) as response,
    ):
        return b"".join(response.raise_for_status().iter_raw())
