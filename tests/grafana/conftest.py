"""One Prometheus with days of history, shared by all tests of the dashboards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.grafana.history import LOOK_BACK, going_on, lived
from tests.grafana.recorder import JOB
from tests.grafana.scene import Scene
from tests.prometheus.server import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests that use this Prometheus in one worker, because it starts slowly."""
    for item in items:
        if item.path.parent == _FOLDER and "scene" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("dashboards"))
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("dashboards")
    history = lived(folder, until=time.time() - LOOK_BACK)
    restarted = time.time()
    with (
        going_on(history, folder) as present,
        prometheus(present.exporters, folder, job=JOB) as server,
    ):
        server.becomes(f"sum(up and timestamp(up) > {restarted})", len(present.exporters))
        yield Scene(server, history, present, restarted=restarted, now=time.time())
