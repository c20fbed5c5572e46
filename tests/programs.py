"""Runs this project's commands and the Prometheus programs as real processes, on loopback only.

The simulator runs in a thread instead, so that a test can change its responses.
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
from release.commands import find_program
from tests import command_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.types import ASGIApp

ROOT = Path(__file__).parents[1]
EXPORTER = (sys.executable, "-m", "exporter")
TIMEOUT = 30.0
"""Seconds to wait for a process to answer."""


def run(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the exporter to its end, in a process that is forked for it."""
    return command_server.run(arguments, environ=environment(environ), cwd=cwd, timeout=TIMEOUT)


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
                process.wait(TIMEOUT)
            finally:
                process.kill()


def start(
    command: Sequence[str], *, sigint: signal.Handlers = signal.SIG_DFL, **options: Any
) -> subprocess.Popen[bytes]:
    """Start ``command``; ``sigint`` as of :func:`started`."""
    # Children inherit ignored signals, and a shell ignores SIGINT in background jobs.
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
        async with serve(app, sockets, reads_bodies=True):
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
    """Return the environment of a child process, which measures coverage if this one does."""
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", **(environ or {})}


def environment_of_a_terminal(*, columns: int) -> dict[str, str]:
    """Return the environment of a child on a terminal, without the variables that change colors."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return kept | {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": str(columns)}


def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Wait until ``condition`` holds; fail after a timeout. Only for other processes."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {TIMEOUT:.0f} s: {what}")
        time.sleep(0.05)


def printed(log: Path, pattern: str) -> str:
    """Wait until ``pattern`` matches in ``log``; return its group."""
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
    return process.wait(TIMEOUT), time.monotonic() - began


def free_address() -> str:
    """Return an unused host:port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def is_ready(address: str) -> bool:
    """Whether the server at host:port reports that it is ready, as Prometheus' programs do."""
    try:
        with urlopen(f"http://{address}/-/ready", timeout=TIMEOUT) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def program(name: str, *, package: str = "prometheus prometheus-alertmanager") -> str:
    """Return the path of a program; skip the test, with instructions, if it is missing."""
    return _present(name, shutil.which(name), remedy=f"apt-get install {package}")


def go_program(name: str) -> str:
    """Return the path of a program that is written in Go; skip the test if it is missing."""
    return _present(name, find_program(name), remedy="install it as .ci/run does")


def _present(name: str, found: str | None, *, remedy: str) -> str:
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing, and CI must have it")
        pytest.skip(f"{name} is missing; {remedy}")
    return found
