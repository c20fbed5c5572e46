"""The files of the web configuration are read in threads: once, and without blocking the loop."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.errors import ConfigurationError
from exporter.web.settings import WebConfigFile
from tests.web.sockets import TIMEOUT, SkippingLoop, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HASH = "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzABCDE"


def write(path: Path, user: str) -> None:
    """Replace the file, so that who has opened it reads the one before."""
    new = path.with_suffix(".new")
    new.write_text(f"basic_auth_users: {{{user}: {HASH}}}\n")
    new.replace(path)


async def user(used: WebConfigFile) -> str:
    return next(iter((await used.current()).config.users))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "web.yaml"
    write(path, "one")
    return path


class Disk:
    """Counts the calls for a file in threads, and lets them hang before they return."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, path: Path) -> None:
        self.calls = 0
        self.works = threading.Event()
        self.works.set()
        self.before: Callable[[], object] = lambda: None
        original = getattr(os, call)

        def called(name: Any, *rest: Any, **options: Any) -> Any:
            if str(name) == str(path) and threading.current_thread() is not threading.main_thread():
                self.before()
                result = original(name, *rest, **options)
                self.calls += 1
                self.works.wait(TIMEOUT)
                return result
            return original(name, *rest, **options)

        monkeypatch.setattr(os, call, called)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        self.works.clear()
        try:
            yield
        finally:
            self.works.set()

    async def is_called(self) -> None:
        await until(lambda: self.calls > 0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


def skip(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    loop.skipped += seconds


def test_many_calls_at_once_are_one_check_and_one_load(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    checks, loads = Disk(monkeypatch, "stat", path), Disk(monkeypatch, "open", path)
    write(path, "two")

    async def main() -> None:
        with loads.hanging():
            calls = [asyncio.create_task(user(used)) for _ in range(100)]
            await loads.is_called()
        assert set(await asyncio.gather(*calls)) == {"two"}

    run(main())
    assert loads.calls == 1
    assert checks.calls == 2  # in the check, and in the load


def test_a_change_during_a_load_is_seen_by_the_next_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    loads = Disk(monkeypatch, "open", path)

    async def main() -> None:
        write(path, "two")
        with loads.hanging():
            first = asyncio.create_task(user(used))
            await loads.is_called()
            # The load has opened the file, and waits to read it.
            write(path, "three")
            second = asyncio.create_task(user(used))
            await asyncio.sleep(0)
        assert await second == "three"
        await first
        write(path, "four")
        assert await user(used) == "four"

    run(main())


def test_files_that_are_replaced_while_they_are_read_are_not_rejected(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    loads = Disk(monkeypatch, "open", path)

    renewed = path.with_suffix(".new")
    write(renewed, "three")
    path.write_text("junk: 1\n")

    async def main() -> None:
        with loads.hanging():
            reload = asyncio.create_task(used.reload())
            await loads.is_called()
            # The load has opened the file, and waits to read it.
            os.replace(renewed, path)  # noqa: PTH105 # a method of Path may not be called here
        await reload
        assert await user(used) == "three"

    with capture_logs() as logs:
        run(main())
    assert [each["event"] for each in logs] == ["web configuration loaded"]


def test_a_file_system_that_hangs_leaves_the_settings_and_one_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    checks = Disk(monkeypatch, "stat", path)

    async def main() -> None:
        with capture_logs() as logs:
            with checks.hanging():
                calls = [asyncio.create_task(user(used)) for _ in range(3)]
                await checks.is_called()
                write(path, "two")
                skip(0.9)
                await asyncio.sleep(0)
                assert not any(each.done() for each in calls)
                skip(0.1)
                assert await asyncio.gather(*calls) == ["one"] * 3
                began = asyncio.get_running_loop().time()
                assert [await user(used) for _ in range(5)] == ["one"] * 5
                assert asyncio.get_running_loop().time() - began < 1  # later calls do not wait
                assert [each["log_level"] for each in logs] == ["error"]
                skip(60)
                assert await user(used) == "one"
                assert len({str(each) for each in logs}) == 1
                assert len(logs) == 2
                assert checks.calls == 1
            async with asyncio.timeout(TIMEOUT):
                while True:
                    if await user(used) == "two":
                        break
                    await asyncio.sleep(0)  # the check that hung has not ended yet

    run(main())


def test_a_load_that_hangs_is_applied_when_it_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    loads = Disk(monkeypatch, "open", path)

    async def main() -> None:
        write(path, "two")
        with loads.hanging():
            call = asyncio.create_task(user(used))
            await loads.is_called()
            skip(1)
            assert await call == "one"
            reload = asyncio.create_task(used.reload())
            await asyncio.sleep(0)
            skip(10)
            with pytest.raises(ConfigurationError, match="cannot be read within 10 s; check its"):
                await reload
            assert loads.calls == 1
        await until(lambda: used.settings.config.users.keys() == {"two"})

    run(main())


def test_a_call_that_is_cancelled_does_not_end_the_load(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    loads = Disk(monkeypatch, "open", path)

    async def main() -> None:
        write(path, "two")
        with loads.hanging():
            calls = [asyncio.create_task(user(used)) for _ in range(2)]
            await loads.is_called()
            calls[0].cancel()
            await asyncio.sleep(0)
        assert await calls[1] == "two"
        assert loads.calls == 1

    run(main())


def test_reloads_at_once_are_at_most_two_loads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = WebConfigFile(path)
    loads = Disk(monkeypatch, "open", path)

    async def main() -> None:
        with loads.hanging():
            first = asyncio.create_task(used.reload())
            await loads.is_called()
            write(path, "two")  # too late for the first
            others = [asyncio.create_task(used.reload()) for _ in range(10)]
            await asyncio.sleep(0)
        await asyncio.gather(first, *others)
        assert used.settings.config.users.keys() == {"two"}

    run(main())
    assert loads.calls == 2


def test_an_unexpected_error_leaves_the_settings_until_a_file_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = WebConfigFile(path)
    loads = Disk(monkeypatch, "open", path)

    def fail() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        with capture_logs() as logs:
            loads.before = fail
            write(path, "two")
            assert [await user(used) for _ in range(3)] == ["one"] * 3
            assert [each["event"] for each in logs] == [
                "error in the exporter; please report it",
                "the new web configuration was rejected",
            ]
            loads.before = lambda: None
            write(path, "three")
            assert await user(used) == "three"

    run(main())


def test_nothing_is_read_while_nothing_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = WebConfigFile(path)
    checks, loads = Disk(monkeypatch, "stat", path), Disk(monkeypatch, "open", path)

    async def main() -> None:
        for _ in range(100):
            await used.current()
        assert (checks.calls, loads.calls) == (1, 0)
        skip(1.1)
        await used.current()
        assert (checks.calls, loads.calls) == (2, 0)

    run(main())
