"""Files are read off the event loop, by one thread at a time."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.clock import SystemClock
from exporter.confluent.file_access import FileAccess


class HangingFile:
    """A file that hangs until it is released, and then fails ``failures`` times."""

    def __init__(self, *, failures: int = 0) -> None:
        self.released = threading.Event()
        self.reads = 0
        self._failures = failures

    def read(self) -> str:
        self.reads += 1
        self.released.wait(30)
        if self.reads <= self._failures:
            raise ValueError("is empty")
        return f"text {self.reads}"


def test_readers_share_one_thread_even_after_one_of_them_is_cancelled() -> None:
    file = HangingFile()

    async def main() -> None:
        clock = SystemClock()
        reader = FileAccess(file.read, clock=clock)
        first, second = (
            asyncio.create_task(reader.run(deadline=clock.monotonic() + 30)) for _ in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(TimeoutError):
            await reader.run(deadline=clock.monotonic())
        file.released.set()
        assert await second == "text 1"
        assert await reader.run(deadline=clock.monotonic() + 30) == "text 2"

    asyncio.run(main())


def test_a_failure_that_nobody_waits_for_is_not_logged() -> None:
    file = HangingFile(failures=1)
    logged: list[object] = []

    async def main() -> None:
        loop, clock = asyncio.get_running_loop(), SystemClock()
        loop.set_exception_handler(lambda _, context: logged.append(context))
        loop.set_default_executor(ThreadPoolExecutor(1))
        reader = FileAccess(file.read, clock=clock)
        reading = asyncio.create_task(reader.run(deadline=clock.monotonic() + 30))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        file.released.set()
        await asyncio.to_thread(lambda: None)  # after the failure, in the only thread
        assert await reader.run(deadline=clock.monotonic() + 30) == "text 2"
        gc.collect()

    asyncio.run(main())
    assert logged == []
