"""``async def`` tests run in virtual time; only tests marked ``integration`` leave the process."""

from __future__ import annotations

import inspect
import random
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import command_server, virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterator

for _profile, _examples in {"thorough": 1000, "usual": 50}.items():
    # How long an example takes depends on what else the machine does.
    settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("usual")  # pytest --hypothesis-profile=thorough chooses the other one

_LEAVES_THE_PROCESS = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "subprocess.Popen",
        command_server.RUN,
    }
)
"""Audit events. The pair of sockets that wakes an event loop causes none of them."""


class _Guard:
    """Fails tests that use sockets or other programs and are not marked ``integration``."""

    def __init__(self) -> None:
        self.is_on = False

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.is_on and event in _LEAVES_THE_PROCESS:
            pytest.fail(
                f"{event} {arguments!r:.200}: mark this test with `pytest.mark.integration`"
            )


_guard = _Guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle",
        metavar="SEED",
        help="run the modules, and the tests of each, in a random order that SEED determines",
    )


def pytest_configure() -> None:
    sys.addaudithook(_guard.audit)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is not None:
        # Modules stay together, so that their fixtures are set up once.
        order = random.Random(seed)
        modules = {item.path: order.random() for item in items}
        items.sort(key=lambda item: (modules[item.path], order.random()))
    elif hasattr(config, "workerinput"):
        # The long tests first, so that no worker of pytest-xdist is left alone with one at the end.
        items.sort(key=lambda item: item.get_closest_marker("integration") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _guard.is_on = item.get_closest_marker("integration") is None
    try:
        return (yield)
    finally:
        _guard.is_on = False


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    virtual_time.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
