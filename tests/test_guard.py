"""Tests without the marker ``integration`` stay in their process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import programs

if TYPE_CHECKING:
    from collections.abc import Callable


def bind() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


def connect() -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", 9))


def resolve() -> None:
    socket.getaddrinfo("127.0.0.1", 9)


def start_a_program() -> None:
    subprocess.run(["true"], check=True)


def run_a_command() -> None:
    programs.run("--version")


@pytest.mark.parametrize("leave", [bind, connect, resolve, start_a_program, run_a_command, os.fork])
def test_a_test_without_the_marker_fails_when_it_leaves_its_process(
    leave: Callable[[], object],
) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"mark this test with `pytest\.mark\.integr"):
        leave()


def test_a_test_without_the_marker_may_run_an_event_loop() -> None:
    asyncio.run(asyncio.sleep(0))


@pytest.mark.integration
@pytest.mark.parametrize("leave", [bind, resolve, start_a_program, run_a_command])
def test_a_test_with_the_marker_may_leave_its_process(leave: Callable[[], object]) -> None:
    leave()
