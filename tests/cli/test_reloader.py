"""Requests of a reload share it where they can."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from structlog.testing import capture_logs

from exporter.cli.reloading import Reloader, reload_all
from tests.programs import EXPORTER, free_address, printed, started, stop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONFIG = "organizations: [{name: acme, url: 'http://127.0.0.1:9'}]\n"
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}


class Reloads:
    """Each takes ``seconds``, and returns its number as its only problem."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.starts = list[float]()
        self._seconds = seconds

    async def __call__(self) -> Sequence[str]:
        self.starts.append(asyncio.get_running_loop().time())
        number = len(self.starts)
        await asyncio.sleep(self._seconds)
        return [f"problem {number}"]


async def test_requests_that_arrive_together_are_one_reload() -> None:
    reloads = Reloads()
    reloader = Reloader(reloads)
    async with reloader.running():
        first = reloader.request()
        await asyncio.sleep(0.09)
        results = await asyncio.gather(first, reloader.reload(), reloader.reload())
    assert [*results] == [["problem 1"]] * 3
    assert reloads.starts == [0.1]


async def test_requests_during_a_reload_share_the_next_one() -> None:
    reloads = Reloads(seconds=1)
    reloader = Reloader(reloads)
    async with reloader.running():
        first = reloader.request()
        await asyncio.sleep(0.2)
        second = reloader.request()
        await asyncio.sleep(0.5)
        third = reloader.request()
        assert second is third
        assert await first == ["problem 1"]
        assert await third == ["problem 2"]
        await asyncio.sleep(10)
    assert reloads.starts == [0.1, pytest.approx(1.2)]


async def test_a_reload_continues_without_those_who_wait_for_it() -> None:
    reloads = Reloads()
    reloader = Reloader(reloads)
    async with reloader.running():
        waiting = asyncio.create_task(reloader.reload())
        await asyncio.sleep(0.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await reloader.reload() == ["problem 2"]
    assert len(reloads.starts) == 2


async def test_a_stop_ends_the_wait_for_a_reload() -> None:
    reloader = Reloader(Reloads(seconds=100))
    async with reloader.running():
        running = asyncio.create_task(reloader.reload())
        await asyncio.sleep(1)
        queued = asyncio.create_task(reloader.reload())
        await asyncio.sleep(0)
    stopping = ["the exporter is stopping"]
    assert [await running, await queued, await reloader.reload()] == [stopping] * 3


async def test_a_bug_is_a_problem_and_does_not_end_reloading() -> None:
    bugs = [ZeroDivisionError("secret")]

    async def reload() -> Sequence[str]:
        if bugs:
            raise bugs.pop()
        return []

    reloader = Reloader(reload)
    async with reloader.running():
        with capture_logs() as logs:
            assert await reloader.reload() == ["an error in the exporter itself; see its log"]
        assert [each["event"] for each in logs] == ["error in the exporter; please report it"]
        assert await reloader.reload() == []


async def test_the_problems_of_all_files_are_reported_together() -> None:
    applied = list[str]()

    async def config() -> Sequence[str]:
        return ["config.yaml:1: broken", "config.yaml:2: broken"]

    async def web() -> Sequence[str]:
        applied.append("web")
        return ["web.yaml:7: broken"]

    assert await reload_all([config, web]) == [
        "config.yaml:1: broken",
        "config.yaml:2: broken",
        "web.yaml:7: broken",
    ]
    assert applied == ["web"]


@pytest.mark.integration
def test_signals_and_requests_at_once_are_one_reload(tmp_path: Path) -> None:
    path, log, address = tmp_path / "config.yaml", tmp_path / "log", free_address()
    path.write_text(CONFIG)
    flags = (f"--config.file={path}", f"--web.listen-address={address}", "--web.enable-lifecycle")
    request = Request(f"http://{address}/-/reload", method="POST")
    with started(*EXPORTER, *flags, log=log, environ=ENVIRON) as process:
        printed(log, r"msg=(listening)")
        path.write_text(CONFIG.replace("acme", "globex"))
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
        with urlopen(request) as response:  # noqa: S310 # our own http URL
            assert response.read() == b"The configuration was reloaded.\n"
        with urlopen(f"http://{address}/metrics") as response:
            assert 'organization="globex"' in response.read().decode()

        path.write_text("organizations: [{nam: acme}]\nmore: 1\n")
        with pytest.raises(HTTPError) as failed:
            urlopen(request)  # noqa: S310 # as above
        assert failed.value.code == 500
        problems = failed.value.read().decode().splitlines()
        assert [re.sub(r" .*", "", each) for each in problems] == [f"{path}:1:"] * 2 + [
            f"{path}:2:"
        ]
        assert stop(process)[0] == 0
    assert log.read_text().count('msg="configuration loaded"') == 1
    assert log.read_text().count('msg="the new configuration was rejected"') == 3
