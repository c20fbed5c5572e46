from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from exporter.cli import threads
from exporter.cli.threads import DaemonThreads
from tests.programs import TIMEOUT

if TYPE_CHECKING:
    import pytest


def test_a_call_that_is_cancelled_before_it_starts_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "_MAX_THREADS", 1)
    executor, release, calls = DaemonThreads(), threading.Event(), list[str]()
    first = executor.submit(release.wait, TIMEOUT)
    second = executor.submit(calls.append, "second")
    third = executor.submit(calls.append, "third")
    assert second.cancel()
    release.set()
    assert first.result(TIMEOUT)
    third.result(TIMEOUT)
    assert calls == ["third"]
