"""Real processes of this project's commands and of Prometheus, on the loopback only.

The simulator alone is served from a thread, where a test can change what it serves.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from exporter.web import bind, serve
from exporter.web.sockets import url_of
from tests import command_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.types import ASGIApp

ROOT = Path(__file__).parents[1]
EXPORTER = (sys.executable, "-m", "exporter")
PATIENCE = 30.0
"""Seconds after which a process that should have answered is given up."""


def run(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the exporter to its end, in a process that is forked for it."""
    return command_server.run(arguments, environ=environment(environ), cwd=cwd, timeout=PATIENCE)


@contextmanager
def started(
    *command: str,
    log: Path,
    environ: Mapping[str, str] | None = None,
    sigint: signal.Handlers = signal.SIG_DFL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` while the context is open; what it prints goes to ``log``.

    ``sigint``: what SIGINT does to it at its start, however these tests were started.
    """
    with (
        log.open("wb") as file,
        start(
            command, sigint=sigint, env=environment(environ), stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def start(
    command: Sequence[str], *, sigint: signal.Handlers = signal.SIG_DFL, **options: Any
) -> subprocess.Popen[bytes]:
    """Start ``command``; ``sigint`` as of :func:`started`."""
    # A child inherits that a signal is ignored, and a shell ignores SIGINT for background jobs.
    before = signal.signal(signal.SIGINT, sigint)
    try:
        return subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve ``app`` from a thread while the context is open; yield its URL."""
    sockets = bind(["127.0.0.1:0"])
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with serve(app, sockets):
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    url = url_of(sockets[0])
    thread.start()
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def environment(environ: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment for a child: this one's, measured by coverage if this is."""
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", **(environ or {})}


def environment_of_a_terminal(*, columns: int) -> dict[str, str]:
    """Return the environment of a child on a terminal, without the variables that change colors."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return kept | {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": str(columns)}


def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Return when ``condition`` holds; fail after some patience. For other processes only."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.05)


def printed(log: Path, pattern: str) -> str:
    """Return what the group of ``pattern`` matches in ``log``, as soon as it does."""
    found: list[str] = []

    def look() -> bool:
        match = re.search(pattern, log.read_text())
        if match:
            found.append(match[1])
        return bool(match)

    eventually(look, what=f"{pattern} in {log.read_text()!r}")
    return found[0]


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, float]:
    """Send a signal; return the exit code and the seconds until the end."""
    began = time.monotonic()
    process.send_signal(number)
    return process.wait(PATIENCE), time.monotonic() - began


def free_address() -> str:
    """Return a host and port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def is_ready(address: str) -> bool:
    """Whether the server at host:port says that it is, as Prometheus' programs do."""
    try:
        with urlopen(f"http://{address}/-/ready", timeout=PATIENCE) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def program(name: str, *, package: str = "prometheus prometheus-alertmanager") -> str:
    """Return where a program is; skip the test without it, and say how to install it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing, and CI must have it")
        pytest.skip(f"{name} is missing; apt-get install {package}")
    return found
