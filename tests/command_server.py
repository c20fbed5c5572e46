"""A process that has loaded the exporter and forks itself for each command that a test runs.

Starting an interpreter and importing the libraries takes half a second of CPU time, a fork a few
milliseconds. A forked command is a process of its own like any other: with its own arguments,
environment, working directory, output, signal handlers and exit code. Tests of the start itself
use :func:`tests.programs.started` instead.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT = Path(__file__).parents[1]
_LIBRARIES = (
    "exporter.logs",
    *(f"exporter.cli.{name}" for name in ("arguments", "commands", "demo", "one_shot", "report")),
)
_REQUEST = 2**20  # bytes, more than any
RUN = "tests.command_server.run"
"""The audit event of :func:`run`, with the arguments of the command."""


def run(
    arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command of the exporter to its end, with nothing on standard input.

    Raises ``subprocess.TimeoutExpired`` after ``timeout`` seconds.
    """
    sys.audit(RUN, *arguments)
    request = {
        "arguments": [*arguments],
        "environ": {**environ},
        "cwd": str(cwd or Path.cwd()),
    }
    server = _server()
    server.settimeout(timeout)
    pipes = [os.pipe() for _ in range(2)]
    socket.send_fds(server, [json.dumps(request).encode()], [writer for _, writer in pipes])
    for _, writer in pipes:
        os.close(writer)
    pid = int(server.recv(64))
    killer = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
    killer.start()
    try:
        with ThreadPoolExecutor() as pool:
            output, errors = pool.map(_read, [reader for reader, _ in pipes])
        code = int(server.recv(64))
    finally:
        killer.cancel()
    if code == -signal.SIGKILL:
        raise subprocess.TimeoutExpired([*arguments], timeout, output, errors)
    return subprocess.CompletedProcess([*arguments], code, output, errors)


def _read(pipe: int) -> str:
    with open(pipe) as file:
        return file.read()


@cache
def _server() -> socket.socket:
    """Start the server, which ends with this process; return the connection to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server", str(theirs.fileno())],
            cwd=_ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(connection: socket.socket) -> int:
    """Run commands until the other side closes ``connection``; return the exit code.

    It is that of the server, and in a forked process that of the command.
    """
    for name in _LIBRARIES:
        import_module(name)
    gc.freeze()  # so that the garbage collector of a forked process need not visit the libraries
    while True:
        message, files, _, _ = socket.recv_fds(connection, _REQUEST, 2)
        if not message:
            return 0
        pid = os.fork()
        if pid == 0:
            connection.close()
            return _command(json.loads(message), files)
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _command(request: Mapping[str, object], files: Sequence[int]) -> int:
    from exporter import cli  # noqa: PLC0415 # after coverage has begun to measure

    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    match request:
        case {"arguments": list(arguments), "environ": dict(environ), "cwd": str(cwd)}:
            os.environ.clear()
            os.environ.update(environ)
            os.chdir(cwd)
            return cli.main(arguments)
        case _:
            raise ValueError(request)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as the_connection:
        sys.exit(_serve(the_connection))
