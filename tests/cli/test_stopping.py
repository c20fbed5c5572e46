"""A signal ends the process within two seconds, even if a part of it hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from exporter.cli import signals
from exporter.cli.signals import run_cancellable, stop_event
from tests import programs
from tests.programs import EXPORTER, ROOT, printed, started, stop

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

HOST = "api.example.invalid"
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}
_START = """
import os, socket, sys, time, exporter.cli

def sleep():
    os.write(2, b"hangs here\\n")
    time.sleep(60)

def compute():
    os.write(2, b"hangs here\\n")
    while True:
        pass

def instead_of(call, hang, condition):
    return lambda *args, **kwargs: hang() if condition(*args) else call(*args, **kwargs)

{fault}
sys.exit(exporter.cli.main(sys.argv[1:]))
"""
RESOLVER = (
    "socket.getaddrinfo = instead_of(socket.getaddrinfo, {hang}, lambda host, *_:"
    f" {HOST.encode()!r} in (host, getattr(host, 'encode', bytes)()))"
)
RENDERING = """
import threading, exporter.exposition.exposition as exposition
exposition.chunks = instead_of(
    exposition.chunks, compute, lambda *_: threading.current_thread() is not threading.main_thread()
)
"""
DISK = """
def is_secret(path, *_):
    global reads
    found = getattr(path, "name", "") == "secret"
    reads += found
    return found and reads > 1  # the configuration reads it first

reads = 0
os.open = instead_of(os.open, sleep, is_secret)
"""
EVENT_LOOP = """
from exporter.confluent.host import Host
Host.begin = instead_of(Host.begin, sleep, lambda *_: True)
"""


def command(fault: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", _START.format(fault=fault), *arguments)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"organizations: [{{name: acme, url: 'https://{HOST}'}}]\n")
    return path


def stopped(process: subprocess.Popen[bytes], log: Path, number: int) -> int:
    """Send the signal as soon as something hangs; return the exit code."""
    printed(log, "(hangs here)")
    code, seconds = stop(process, number)
    assert seconds < 2
    assert "Traceback" not in log.read_text()
    return code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("hang", ["sleep", "compute"])
def test_a_hanging_thread_does_not_prevent_a_clean_stop(
    config: Path, tmp_path: Path, hang: str, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    run = command(
        RESOLVER.format(hang=hang), f"--config.file={config}", "--web.listen-address=127.0.0.1:0"
    )
    with started(*run, log=log, environ=ENVIRON) as process:
        assert stopped(process, log, number) == 0
    assert "msg=stopping" in log.read_text().splitlines()[-1]


def test_the_demo_stops_cleanly_while_a_thread_renders(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = command(RENDERING, "demo", "--web.listen-address=127.0.0.1:0", "--keys=10")
    with started(*run, log=log) as process:
        assert stopped(process, log, signal.SIGTERM) == 0
    assert "msg=stopping" in log.read_text().splitlines()[-1]


@pytest.mark.parametrize("arguments", [["check"], ["once"], ["report"]])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_while_the_resolver_hangs(
    config: Path, tmp_path: Path, arguments: list[str], number: signal.Signals, code: int
) -> None:
    log = tmp_path / "log"
    run = command(RESOLVER.format(hang="sleep"), *arguments, f"--config.file={config}")
    with started(*run, log=log, environ=ENVIRON) as process:
        assert stopped(process, log, number) == code


@pytest.mark.parametrize(
    ("fault", "arguments", "times", "code"),
    [
        (DISK, [], 1, 0),
        (DISK, ["check"], 1, 143),
        (EVENT_LOOP, [], 1, 1),
        (EVENT_LOOP, [], 2, 1),
        (EVENT_LOOP, ["check"], 1, 143),
    ],
)
def test_only_a_hanging_event_loop_leads_to_a_forced_exit(  # noqa: PLR0917 # parameters
    config: Path, tmp_path: Path, fault: str, arguments: list[str], times: int, code: int
) -> None:
    (tmp_path / "secret").write_text("hush")
    config.write_text(
        "organizations:\n"
        f"  - {{name: acme, url: 'https://{HOST}', names: {{enabled: false}},"
        " quotas: {enabled: false},"
        " credentials: {api_key: KEYID, api_secret_file: secret}}\n"
    )
    log = tmp_path / "log"
    if not arguments:
        arguments = ["--web.listen-address=127.0.0.1:0"]
    run = command(fault, *arguments, f"--config.file={config}")
    with started(*run, log=log) as process:
        printed(log, "(hangs here)")
        for _ in range(times - 1):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)  # the kernel merges equal signals that are pending
        assert stopped(process, log, signal.SIGTERM) == code
    # Secrets are read in a worker thread, which does not keep the event loop from stopping.
    forced = 'msg="forced exit: the process did not end within 1.4 s of the signal"'
    assert (forced in log.read_text()) == (fault == EVENT_LOOP)


def test_an_interpreter_that_hangs_after_a_clean_stop_is_exit_code_0(
    config: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    fault = "import atexit; atexit.register(sleep)"
    run = command(fault, f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with started(*run, log=log, environ=ENVIRON) as process:
        printed(log, "(msg=listening)")
        code, seconds = stop(process)
    assert (code, seconds < 2) == (0, True)
    assert "forced exit" in log.read_text()


def test_a_hanging_resolver_is_reported_and_not_waited_for(config: Path) -> None:
    config.write_text(
        f"organizations: [{{name: acme, url: 'https://{HOST}', refresh_timeout: 1s,"
        " request_timeout: 500ms, names: {enabled: false}, quotas: {enabled: false}}]\n"
    )
    done = subprocess.run(
        command(RESOLVER.format(hang="sleep"), "check", f"--config.file={config}"),
        env=programs.environment(ENVIRON),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=programs.TIMEOUT,  # less than the resolver takes
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("acme: failed (timeout): ")
    said = " ".join(done.stdout.split())
    assert f"the name {HOST} was not resolved in time. Check DNS" in said


def test_sigint_that_is_ignored_at_start_stays_ignored(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = (*EXPORTER, f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with started(*run, log=log, environ=ENVIRON, sigint=signal.SIG_IGN) as process:
        printed(log, "(msg=listening)")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        printed(log, '(msg="configuration loaded")')  # it still runs
        assert stop(process)[0] == 0


def test_the_forced_exit_is_logged_and_depends_on_the_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    codes, exited = list[int](), threading.Event()

    def exit_(code: int) -> None:
        codes.append(code)
        exited.set()
        threading.Event().wait()  # as `os._exit`, it does not return

    monkeypatch.setattr(signals, "_GRACE_PERIOD", 0.01)
    monkeypatch.setattr(os, "_exit", exit_)

    async def serve() -> None:
        async with stop_event() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
            exited.wait(programs.TIMEOUT)  # blocks the event loop

    asyncio.run(serve())
    assert codes == [1]
    assert caplog.messages == ["forced exit: the process did not end within 0.01 s of the signal"]


def test_a_command_that_is_cancelled_without_a_signal_raises_that() -> None:
    async def main() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_cancellable(main())
