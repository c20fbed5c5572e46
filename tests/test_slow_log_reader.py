"""A slow or missing log reader does not block anything except the log."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
import structlog

from exporter import logs
from exporter.clock import SystemClock
from exporter.simulator import Account, Simulator, seeded_organization
from tests import programs
from tests.harness import API_KEY, SECRET, Harness
from tests.logged import captured
from tests.programs import EXPORTER, ROOT, served, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ENVIRON = {"CONFLUENT_CLOUD_API_KEY": API_KEY, "CONFLUENT_CLOUD_API_SECRET": SECRET}
KEYS, PAGE = 100, 2
QUEUE = 10_000  # lines


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    organization = seeded_organization(seed=1, keys=KEYS, now=SystemClock().wall())
    accounts = [Account(API_KEY, SECRET, organization)]
    with served(Simulator(accounts, clock=SystemClock())) as url:
        yield url


@pytest.fixture
def command(url: str, tmp_path: Path) -> tuple[str, ...]:
    """Return a command whose refresh logs more than a 4 KiB pipe can hold."""
    path = tmp_path / "config.yaml"
    path.write_text(
        f"defaults: {{url: {url}, page_size: {PAGE}, names: {{enabled: false}},"
        " quotas: {enabled: false}}\n"
        "organizations: [{name: acme}]\n"
    )
    return f"--config.file={path}", "--log.level=debug"


@contextlib.contextmanager
def unread(*command: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run ``command`` with an unread standard error; yield the process and the pipe's read end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    environ = os.environ | ENVIRON
    environ.pop("PYTHONUNBUFFERED", None)  # with it, Python's own stream has no lock
    with subprocess.Popen(
        [*EXPORTER, *command],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=writer,
    ) as process:
        os.close(writer)
        try:
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


def test_an_unread_log_blocks_neither_scrapes_nor_shutdown(command: tuple[str, ...]) -> None:
    address = programs.free_address()
    with unread(*command, f"--web.listen-address={address}") as (process, _):
        programs.eventually(lambda: programs.is_ready(address), what="the first refresh")
        with urlopen(f"http://{address}/metrics") as response:
            assert f'api_keys{{organization="acme"}} {KEYS}.0' in response.read().decode()
        code, seconds = stop(process)
    assert code == 0
    assert seconds < 2


def test_records_are_counted_as_dropped_if_the_log_reader_is_gone(command: tuple[str, ...]) -> None:
    address = programs.free_address()
    with unread(*command, f"--web.listen-address={address}") as (process, reader):
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), reader)  # closes the pipe
        programs.eventually(lambda: programs.is_ready(address), what="the first refresh")
        with urlopen(f"http://{address}/metrics") as response:
            lost = re.search(r"\n\w+_log_records_dropped_total (\S+)", response.read().decode())
        assert lost is not None
        assert float(lost[1]) >= KEYS // PAGE
        assert stop(process)[0] == 0


def test_a_command_exits_once_its_last_log_line_is_read(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    target = tmp_path / "metrics"
    with unread("once", *command, f"--output={target}") as (process, reader):
        programs.eventually(target.exists, what="the metrics")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        with open(reader, "rb", closefd=False) as file:
            lines = file.read().decode().splitlines()
        assert process.wait(programs.TIMEOUT) == 0
    assert len([line for line in lines if " msg=answered " in line]) == KEYS // PAGE
    assert " msg=refreshed " in lines[-1]


class Stalled(io.StringIO):
    """A standard error whose reader does not read until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Event()
        self.resumed = threading.Event()

    def write(self, text: str) -> int:
        self.writing.set()
        if not self.resumed.wait(programs.TIMEOUT):
            self.resumed.set()
        return super().write(text)


async def test_records_that_do_not_fit_the_queue_are_counted_and_reported_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(1)
    stalled = Stalled()
    with captured(capsys):
        monkeypatch.setattr(sys, "stderr", stalled)
        logs.set_up(form="json")
        log = structlog.get_logger("x")
        log.info("line", number=0)
        assert stalled.writing.wait(programs.TIMEOUT)  # and so it waits in the queue no more
        for number in range(1, QUEUE + 8):
            log.info("line", number=number)
        assert dropped(harness) == 7
        stalled.resumed.set()
        logs.flush()
        with structlog.contextvars.bound_contextvars(organization="acme"):
            log.info("line", number=QUEUE + 8)
            log.info("line", number=QUEUE + 9)
        logs.flush()
    entries = [json.loads(line) for line in stalled.getvalue().splitlines()]
    assert [entry.get("number") for entry in entries] == [
        *range(QUEUE + 1),
        None,
        QUEUE + 8,
        QUEUE + 9,
    ]
    report = entries[QUEUE + 1]
    assert report["msg"] == "log records were dropped because standard error was not read"
    assert (report["level"], report["records"]) == ("warn", 7)
    assert "organization" not in report


def dropped(harness: Harness) -> float:
    name = "confluent_cloud_exporter_log_records_dropped_total"
    return harness.series()[name, frozenset()]
