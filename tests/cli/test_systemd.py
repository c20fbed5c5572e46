"""Notifications to systemd, through real datagram sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from exporter.cli.systemd import Systemd, status_line
from exporter.refresh import Failure, OrganizationState, RefreshStatus
from tests.harness import Harness
from tests.programs import EXPORTER, free_address, printed, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

CONFIG = "organizations: [{name: acme, url: 'http://127.0.0.1:9'}]\n"
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}
TIMEOUT = 20.0


class Receiver:
    """What listens to notifications in place of systemd. ``address`` as in NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        self.socket.settimeout(TIMEOUT)

    def receive(self) -> str:
        return self.socket.recv(4096).decode()

    def waiting(self) -> list[str]:
        """Return the notifications that have arrived."""
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.receive())
        except BlockingIOError:
            return found
        finally:
            self.socket.settimeout(TIMEOUT)


@pytest.fixture(params=["path", "abstract"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@test-{uuid4()}"
    receiver = Receiver(address)
    with receiver.socket:
        yield receiver


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(str(tmp_path / "notify"))
    with receiver.socket:
        yield receiver


async def test_the_state_and_each_change_of_the_status_are_sent(receiver: Receiver) -> None:
    status = "1 organization"
    systemd = Systemd(receiver.address)
    async with systemd.notified(status=lambda: status, is_healthy=lambda: True):
        await asyncio.sleep(60)
        assert receiver.waiting() == ["READY=1", "STATUS=1 organization"]
        status = "2 organizations\nREADY=0"
        await asyncio.sleep(60)
        assert receiver.waiting() == [r"STATUS=2 organizations\nREADY=0"]
        before = time.monotonic_ns() // 1000
        with systemd.reloading():
            reloading, at = receiver.receive().splitlines()
            assert reloading == "RELOADING=1"
            assert before <= int(at.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        assert receiver.waiting() == ["READY=1"]
    assert receiver.waiting() == ["STOPPING=1"]


async def test_signs_of_life_are_sent_twice_per_interval_while_healthy(one: Receiver) -> None:
    healthy = True
    systemd = Systemd(one.address, watchdog=20)
    async with systemd.notified(status=lambda: "fine", is_healthy=lambda: healthy):
        await asyncio.sleep(35)
        assert one.waiting().count("WATCHDOG=1") == 4  # after 0, 10, 20 and 30 s
        healthy = False
        with capture_logs() as logs:
            await asyncio.sleep(60)
        assert "WATCHDOG=1" not in one.waiting()
        assert [each["log_level"] for each in logs] == ["error"]


@pytest.mark.parametrize(
    ("environ", "signs"),
    [
        ({"WATCHDOG_USEC": "20000000"}, True),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "7"}, True),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "8"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({}, False),
    ],
)
async def test_systemd_asks_for_signs_of_life_in_the_environment(
    one: Receiver, environ: dict[str, str], *, signs: bool
) -> None:
    environ = {"NOTIFY_SOCKET": one.address, "HOME": "/", **environ}
    systemd = Systemd.from_environment(environ, pid=7)
    assert environ == {"HOME": "/"}  # children are not to notify systemd
    async with systemd.notified(status=lambda: "fine", is_healthy=lambda: True):
        await asyncio.sleep(1)
    assert ("WATCHDOG=1" in one.waiting()) == signs


async def test_a_receiver_that_does_not_read_blocks_nothing_and_misses_no_state(
    one: Receiver,
) -> None:
    changes = 0
    systemd = Systemd(one.address, watchdog=10)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as noise, suppress(BlockingIOError):
        noise.setblocking(False)
        while True:  # until its queue is full
            noise.sendto(b"noise", one.address)
    async with systemd.notified(status=lambda: f"status {changes}", is_healthy=lambda: True):
        await asyncio.sleep(60)
        assert set(one.waiting()) == {"noise"}
        changes = 1
        await asyncio.sleep(11)
        states = [each for each in one.waiting() if each != "WATCHDOG=1"]
        assert states == ["READY=1", "STATUS=status 0", "STATUS=status 1"]


@pytest.mark.parametrize("address", ["/nothing/here", "@nobody", "vsock:2:1234", None])
async def test_a_missing_receiver_is_logged_at_most_once(address: str | None) -> None:
    with capture_logs() as logs:
        systemd = Systemd(address, watchdog=2)
        async with systemd.notified(status=lambda: "fine", is_healthy=lambda: True):
            with systemd.reloading():
                await asyncio.sleep(60)
    expected = 1 if address in {"/nothing/here", "@nobody"} else 0
    assert [each["event"] for each in logs] == ["cannot notify systemd"] * expected


def state(name: str, *, failure: str | None = None, attempted: bool = True) -> OrganizationState:
    failed = None if failure is None else Failure(failure, "a message", None)
    status = RefreshStatus(finished=1.0 if attempted else None, failure=failed)
    return OrganizationState(name, {"api_keys": status})


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([state("acme")], "1 organization"),
        (
            [state("acme"), state("globex", failure="forbidden"), state("initech")],
            "3 organizations, 1 failing: globex: forbidden",
        ),
        (
            [state("acme", attempted=False), state("globex", failure="timeout")],
            "2 organizations, 1 waiting for the first refresh, 1 failing: globex: timeout",
        ),
        (
            [state(name, failure="tls") for name in "abcde"],
            "5 organizations, 5 failing: a: tls, b: tls, c: tls, 2 more",
        ),
    ],
)
def test_the_status_names_the_organizations_that_fail(
    states: list[OrganizationState], expected: str
) -> None:
    assert status_line(states) == expected


async def test_the_status_of_an_exporter() -> None:
    harness = Harness(1)
    assert status_line(harness.exporter.states()) == (
        "1 organization, 1 waiting for the first refresh"
    )
    await harness.exporter.refresh_once()
    assert status_line(harness.exporter.states()) == "1 organization"


def test_a_process_notifies_systemd_from_its_start_to_its_end(
    one: Receiver, tmp_path: Path
) -> None:
    path, log = tmp_path / "config.yaml", tmp_path / "log"
    path.write_text(CONFIG)
    flags = (f"--config.file={path}", f"--web.listen-address={free_address()}")
    environ = ENVIRON | {"NOTIFY_SOCKET": one.address, "WATCHDOG_USEC": "60000000"}
    with started(*EXPORTER, *flags, log=log, environ=environ) as process:
        assert one.receive() == "READY=1"
        assert "msg=listening" in log.read_text() or printed(log, "(msg=listening)")
        assert one.receive().startswith("STATUS=1 organization")
        assert one.receive() == "WATCHDOG=1"
        sent = time.monotonic_ns() // 1000
        process.send_signal(signal.SIGHUP)
        reloading, at = one.receive().splitlines()
        assert reloading == "RELOADING=1"
        assert int(at.removeprefix("MONOTONIC_USEC=")) >= sent  # or systemd ignores it
        assert one.receive() == "READY=1"
        assert stop(process)[0] == 0
        assert one.waiting()[-1] == "STOPPING=1"
