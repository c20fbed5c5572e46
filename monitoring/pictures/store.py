"""A Prometheus that only answers queries about the data in a folder, and scrapes nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.programs import eventually, free_address, is_ready, program, started
from tests.prometheus.server import Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def stored(folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus on ``folder / "data"`` while the context is open."""
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n")
    address = free_address()
    command = (
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
    )
    with started(*command, log=folder / "prometheus.log"):
        eventually(lambda: is_ready(address), what="Prometheus is ready")
        yield Prometheus(f"http://{address}")
