from __future__ import annotations

import threading

import pytest

from exporter.cli import threads
from exporter.cli.threads import DaemonThreads
from tests.programs import TIMEOUT


def test_there_are_no_more_threads_than_calls_at_a_time() -> None:
    executor, idents = DaemonThreads(), set[int]()
    for _ in range(500):
        calls = [executor.submit(threading.get_ident) for _ in range(2)]
        idents.update(call.result(TIMEOUT) for call in calls)
    assert len(idents) <= 2


def test_calls_that_wait_for_each_other_have_threads_of_their_own() -> None:
    executor, barrier = DaemonThreads(), threading.Barrier(3, timeout=TIMEOUT)
    for _ in range(3):
        calls = [executor.submit(barrier.wait) for _ in range(3)]
        assert {call.result(TIMEOUT) for call in calls} == {0, 1, 2}


def test_threads_are_started_again_after_the_system_allowed_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    executor, calls = DaemonThreads(), list[str]()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(threads._MAX_THREADS + 1):
            with pytest.raises(RuntimeError):
                executor.submit(calls.append, "refused")
    executor.submit(calls.append, "accepted").result(TIMEOUT)
    assert calls == ["accepted"]


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
