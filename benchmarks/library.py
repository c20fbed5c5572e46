"""The yardstick of a scrape: ``prometheus_client.start_http_server`` with the same families.

``python -m benchmarks.library FILE`` parses the exposition in FILE, serves its families on a free
port and prints the address. The families exist before the first scrape, so that the time is spent
on what any exporter on this library spends it: writing and compressing them at each scrape.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric


class Families(Collector):
    """A collector that collects what it was given."""

    def __init__(self, exposition: str) -> None:
        self._families = list(text_string_to_metric_families(exposition))

    def collect(self) -> Iterable[Metric]:
        """Return the families in their order."""
        return self._families


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(parser.parse_args().file.read_text()))
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
