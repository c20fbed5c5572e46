"""The usage state file survives a restart, and no content of it stops the exporter."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.clock import SystemClock
from exporter.collectors.usage_file import UsageFile, UsageStore
from exporter.inventory.usage import Period, Usage

if TYPE_CHECKING:
    from pathlib import Path

USAGE = Usage({("sa-1", "lkc-a"): 1_790_000_000.5}, {"lkc-a": Period(1_789_000_000, 1_790_000_100)})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    UsageFile(path, "acme").write(Usage({("sa-0", "lkc-0"): 1.0}, {}))
    UsageFile(path, "acme").write(USAGE)
    assert UsageFile(path, "acme").read() == USAGE
    assert [each.name for each in tmp_path.iterdir()] == ["usage.json"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_missing_file_is_empty_and_no_problem(tmp_path: Path) -> None:
    with capture_logs() as logs:
        assert UsageFile(tmp_path / "usage.json", "acme").read() == Usage()
    assert logs == []


def changed(**members: Any) -> bytes:
    document = {"version": 1, "organization": "acme", "clusters": {}, "last_active": []}
    return json.dumps({**document, **members}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        changed(version=2),
        changed(organization="globex"),
        changed(clusters={"lkc-a": [1]}),
        changed(clusters={"lkc-a": [1, 1e300]}),
        changed(clusters={"": [1, 2]}),
        changed(last_active=[["sa-1", "lkc-a", -1]]),
        changed(last_active=[["s" * 256, "lkc-a", 1]]),
        changed(last_active=[["sa-1", "lkc-a", "1"]]),
    ],
)
def test_an_unusable_file_is_logged_and_not_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "usage.json"
    path.write_bytes(content)
    with capture_logs() as logs:
        assert UsageFile(path, "acme").read() == Usage()
    (line,) = logs
    assert line["event"].startswith("the usage state file is not used")
    assert line["file"] == str(path)


def test_a_file_of_more_than_64_mib_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    UsageFile(path, "acme").write(USAGE)
    with path.open("ab") as file:
        file.write(b" " * (64 * 1024 * 1024))  # valid JSON
    with capture_logs() as logs:
        assert UsageFile(path, "acme").read() == Usage()
    assert [line["problem"] for line in logs] == ["it is larger than 67108864 bytes"]


def test_a_file_of_more_than_a_million_entries_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    entry = b'["a","b",1]'
    empty = changed()
    for number in (1_000_000, 1_000_001):
        entries = b",".join([entry] * number)
        path.write_bytes(empty.replace(b'"last_active": []', b'"last_active": [%s]' % entries))
        with capture_logs():
            known = UsageFile(path, "acme").read()
        assert known == (Usage({("a", "b"): 1.0}, {}) if number == 1_000_000 else Usage())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    os.mkfifo(path)
    with capture_logs() as logs:
        assert UsageFile(path, "acme").read() == Usage()
    assert [line["problem"] for line in logs] == ["not a regular file but a pipe or a device"]


def test_a_period_that_ends_before_it_starts_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    path.write_bytes(changed(clusters={"lkc-a": [2, 1], "lkc-b": [1, 2]}))
    assert UsageFile(path, "acme").read() == Usage({}, {"lkc-b": Period(1, 2)})


def test_a_file_that_cannot_be_written_is_logged_and_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    path.mkdir()
    with capture_logs() as logs:
        UsageFile(path, "acme").write(USAGE)
        assert UsageFile(path, "acme").read() == Usage()
    assert [line["event"].partition(";")[0] for line in logs] == [
        "the usage state file cannot be written",
        "the usage state file is not used",
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["usage.json"]


def test_an_unusable_file_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    UsageFile(path, "globex").write(USAGE)
    file = UsageFile(path, "acme")
    assert file.read() == Usage()
    file.write(Usage())
    file.write(Usage())
    assert file.read() == Usage()
    assert UsageFile(tmp_path / "usage.json.unusable", "globex").read() == USAGE


class ImpatientClock(SystemClock):
    """Every deadline passes at once."""

    async def sleep(self, seconds: float) -> None:
        del seconds
        await asyncio.sleep(0)


class HangingFile(UsageFile):
    """On a file system that hangs until it is released."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "acme")
        self.released = threading.Event()
        self.calls = 0

    def read(self) -> Usage:
        self.calls += 1
        self.released.wait(30)
        return super().read()

    def write(self, usage: Usage) -> None:
        self.calls += 1
        self.released.wait(30)
        super().write(usage)


def test_a_file_system_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    file = HangingFile(tmp_path / "usage.json")
    store = UsageStore(file, clock=ImpatientClock())

    async def main() -> None:
        usage, failure = await store.read(deadline=0)
        assert usage == Usage()
        assert failure is not None
        assert failure.reason == "timeout"
        for _ in range(3):
            await store.write(USAGE)
        assert file.calls == 2, "one thread to read, and one to write"
        file.released.set()

    with capture_logs() as logs:
        asyncio.run(main())
    assert [line["problem"] for line in logs] == ["the file system does not answer"] * 3
    assert UsageFile(file.path, "acme").read() == USAGE
