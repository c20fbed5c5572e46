"""A configuration that cannot be read delays neither a later reload nor the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from structlog.testing import capture_logs

from exporter.cli.configuration import load_with_timeout
from exporter.cli.reloading import reload_config
from exporter.errors import StartUpError
from tests import programs
from tests.harness import Harness, configuration
from tests.programs import EXPORTER, free_address, printed, started, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.config import Config

CONFIG = "organizations: [{name: acme, url: 'http://127.0.0.1:9'}]\n"
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}


@pytest.mark.integration
def test_a_pipe_in_place_of_the_configuration_is_refused_and_replaced(tmp_path: Path) -> None:
    path, log, address = tmp_path / "config.yaml", tmp_path / "log", free_address()
    path.write_text(CONFIG)
    command = (*EXPORTER, f"--config.file={path}", f"--web.listen-address={address}")
    with started(*command, log=log, environ=ENVIRON) as process:
        printed(log, r"msg=(listening)")
        path.unlink()
        os.mkfifo(path)
        process.send_signal(signal.SIGHUP)
        problem = printed(log, r'msg="the new configuration was rejected" problem="([^"]+)"')
        assert problem == (
            f"{path}: cannot be read (not a regular file but a pipe or a device); expected a"
            " regular file"
        )
        path.unlink()
        path.write_text(CONFIG.replace("acme", "globex"))
        process.send_signal(signal.SIGHUP)
        printed(log, r'msg="(configuration loaded)"')
        with urlopen(f"http://{address}/metrics") as response:
            assert re.search(r'organization="globex"', response.read().decode())
        assert stop(process)[0] == 0


_HANGING_DISK = """
import os, sys, time, exporter.cli

def hang(path, *rest):
    global reads
    if getattr(path, "name", path) == "config.yaml":
        reads += 1
        if reads > 1:  # the first one is that of the start
            os.write(2, b"hangs here\\n")
            time.sleep(600)
    return before(path, *rest)

reads, before = 0, os.open
os.open = hang
sys.exit(exporter.cli.main(sys.argv[1:]))
"""


@pytest.mark.integration
def test_a_hanging_reload_delays_neither_scrapes_nor_the_stop(tmp_path: Path) -> None:
    path, log, address = tmp_path / "config.yaml", tmp_path / "log", free_address()
    path.write_text(CONFIG)
    flags = (f"--config.file={path}", f"--web.listen-address={address}")
    with started(sys.executable, "-c", _HANGING_DISK, *flags, log=log, environ=ENVIRON) as process:
        printed(log, r"msg=(listening)")
        process.send_signal(signal.SIGHUP)
        printed(log, "(hangs here)")
        with urlopen(f"http://{address}/metrics", timeout=5) as response:
            assert response.status == 200
        code, seconds = stop(process)
    assert code == 0
    assert seconds < 2
    assert "forced exit" not in log.read_text()


@pytest.fixture
def hanging() -> Iterator[Callable[[], Config]]:
    """A function that hangs until the end of the test."""
    end = threading.Event()

    def hang() -> Config:
        end.wait(programs.TIMEOUT)
        raise OSError

    yield hang
    end.set()
    for thread in threading.enumerate():
        if thread.name == "load configuration":
            thread.join()


async def test_a_hanging_reload_times_out(
    hanging: Callable[[], Config],
) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(StartUpError, match=r"^loading the configuration took longer than 10 s\. "):
        await load_with_timeout(hanging)
    assert asyncio.get_running_loop().time() - began == 10
    others = [each for each in threading.enumerate() if each is not threading.main_thread()]
    assert [each.name for each in others if not each.daemon] == []  # the process may end


async def test_ca_files_that_hang_do_not_hang_the_reload(
    hanging: Callable[[], Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(1)
    monkeypatch.setattr(harness.exporter, "read_certificates", lambda _: hanging())
    await reload_config(harness.exporter, lambda: harness.config)
    assert harness.exporter.rejected_config is not None
    assert "took longer than 10 s. Check the file system" in harness.exporter.rejected_config
    await harness.exporter.refresh_once()
    assert harness.value("confluent_cloud_up", collector="api_keys") == 1


def test_a_later_reload_does_not_wait(hanging: Callable[[], Config]) -> None:
    config = configuration()

    async def reload() -> Config:
        with pytest.raises(StartUpError):
            await load_with_timeout(hanging, seconds=0)
        return await load_with_timeout(lambda: config)

    assert asyncio.run(reload()) is config


def test_a_reload_that_ends_after_its_timeout_is_ignored() -> None:
    release, config, errors = threading.Event(), configuration(), list[object]()

    def load() -> Config:
        release.wait(programs.TIMEOUT)
        return config

    async def reload() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        with pytest.raises(StartUpError, match="took longer"):
            await load_with_timeout(load, seconds=0)
        release.set()
        for thread in threading.enumerate():
            if thread.name == "load configuration":
                thread.join()
        await asyncio.sleep(0)

    asyncio.run(reload())
    assert errors == []


async def test_an_unexpected_error_while_reloading_keeps_the_configuration() -> None:
    harness = Harness(1)

    def load() -> Config:
        raise ZeroDivisionError

    with capture_logs() as logs:
        await reload_config(harness.exporter, load)
    (entry,) = logs
    assert (entry["log_level"], entry["event"]) == (
        "error",
        "error in the exporter; please report it",
    )
    assert harness.exporter.rejected_config == "an error in the exporter itself; see its log"
    await harness.exporter.refresh_once()
    assert harness.state.name == "acme"


async def test_reloads_that_hang_do_not_add_up(hanging: Callable[[], Config]) -> None:
    for _ in range(4):
        with pytest.raises(StartUpError, match="took longer"):
            await load_with_timeout(hanging)
    with pytest.raises(StartUpError, match=r"hanging\. Restart the exporter$"):
        await load_with_timeout(hanging)


def test_an_error_of_the_load_is_raised_by_the_reload() -> None:
    def load() -> Config:
        raise StartUpError("broken")

    with pytest.raises(StartUpError, match=r"^broken$"):
        asyncio.run(load_with_timeout(load))
