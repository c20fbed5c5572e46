"""Sockets that systemd passes to the process."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from exporter.cli.exposure import is_local
from exporter.cli.systemd_sockets import inherited_sockets
from exporter.errors import StartUpError
from exporter.web.sockets import url_of
from tests.cli.web_process import WebProcess
from tests.programs import EXPORTER, free_address, printed, program, run, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

CONFIG = "organizations: [{name: acme, url: 'http://127.0.0.1:9'}]\n"
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}
FIRST = 200
"""The first file descriptor that these tests pass."""


def passed(*sockets: socket.socket) -> dict[str, str]:
    """Pass ``sockets`` as systemd does; return the environment of the process 7."""
    for number, each in enumerate(sockets, FIRST):
        os.dup2(each.fileno(), number, inheritable=True)
        each.close()
    return {"LISTEN_PID": "7", "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": "web"}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what a test has passed and the code has not taken."""
    yield
    for number in range(FIRST, FIRST + 4):
        try:
            os.close(number)
        except OSError:
            continue


def test_sockets_are_taken_once_and_not_inherited_by_children(tmp_path: Path) -> None:
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "socket"))
    unix.listen()
    environ = {"HOME": "/"} | passed(socket.create_server(("127.0.0.1", 0)), unix)
    tcp, other = inherited_sockets(environ, pid=7, first=FIRST)
    with tcp, other:
        assert environ == {"HOME": "/"}
        assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert not tcp.get_inheritable()
        assert not other.get_inheritable()
        assert url_of(other) == f"unix:{tmp_path / 'socket'}"
        assert is_local(other)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "systemd passed no socket: LISTEN_FDS is not set. Start the exporter through a"),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, "systemd passed no socket: LISTEN_FDS is '0'. "),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "-1"}, "systemd passed no socket: LISTEN_FDS is '-1'"),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "99999"}, "LISTEN_FDS is '99999'"),
        (
            {"LISTEN_PID": "8", "LISTEN_FDS": "1"},
            "systemd passed no socket to this process: LISTEN_PID is '8', but its id is 7. ",
        ),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, "file descriptor 200 from systemd is not a"),
    ],
)
def test_without_a_socket_the_cause_and_the_remedy_are_named(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(StartUpError, match=re.escape(message)):
        inherited_sockets(environ, pid=7, first=FIRST)
    assert environ == {}


@pytest.mark.parametrize("kind", ["datagram", "connected", "file"])
def test_other_descriptors_are_refused(kind: str, tmp_path: Path) -> None:
    first = socket.create_server(("127.0.0.1", 0))
    if kind == "file":
        file = os.open(tmp_path / "file", os.O_CREAT)
        environ = passed(first) | {"LISTEN_FDS": "2"}
        os.dup2(file, FIRST + 1)
        os.close(file)
    elif kind == "datagram":
        environ = passed(first, socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    else:
        ours, theirs = socket.socketpair()
        ours.close()
        environ = passed(first, theirs)
    with pytest.raises(
        StartUpError,
        match=r"^file descriptor 201 from systemd is not a listening stream socket\. Use"
        r" `ListenStream=` and `Accept=no` in the \.socket unit$",
    ):
        inherited_sockets(environ, pid=7, first=FIRST)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(FIRST)  # the first one is closed


def test_descriptors_that_are_not_systemds_stay_open() -> None:
    # A wrong LISTEN_FDS may point at the event loop's own sockets.
    ours, theirs = socket.socketpair()
    with ours, pytest.raises(StartUpError):
        inherited_sockets(passed(theirs), pid=7, first=FIRST)
    os.fstat(FIRST)


def test_an_exporter_that_systemd_does_not_start_names_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    done = run(f"--config.file={path}", "--web.systemd-socket", environ=ENVIRON)
    assert done.returncode == 1
    assert "a .socket unit with `ListenStream=10049`" in done.stderr


def test_the_flag_and_an_address_exclude_each_other() -> None:
    done = run("--web.systemd-socket", "--web.listen-address=:10049")
    assert done.returncode == 2
    assert "--web.systemd-socket and --web.listen-address cannot be combined" in done.stderr


_ACTIVATE = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path, log, at = tmp_path / "config.yaml", tmp_path / "log", tmp_path / "socket"
    path.write_text(CONFIG)
    command = (*EXPORTER, f"--config.file={path}", "--web.systemd-socket")
    starter = (sys.executable, "-c", _ACTIVATE, str(at))
    with started(*starter, *command, log=log, environ=ENVIRON) as process:
        assert printed(log, r"msg=listening .*urls=(\S+)") == f"unix:{at}"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(at))
            client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: exporter\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert stop(process)[0] == 0
    assert at.exists()  # it is systemd's


def test_a_client_of_a_unix_socket_without_tls_is_logged(tmp_path: Path) -> None:
    server, at = WebProcess(tmp_path), tmp_path / "socket"
    command = (*EXPORTER, *server.flags, "--web.systemd-socket")
    starter = (sys.executable, "-c", _ACTIVATE, str(at))
    with started(*starter, *command, log=server.log, environ=ENVIRON) as process:
        server.printed("(msg=listening)")
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(at))
                client.sendall(b"GET / HTTP/1.1\r\nHost: exporter\r\n\r\n")
                while client.recv(4096):
                    """Until the server closes the connection."""
        assert stop(process)[0] == 0
    log = server.log.read_text()
    assert 'msg="TLS handshake failed"' in log
    assert 'client="a program on this machine"' in log
    assert "Traceback" not in log


def test_a_socket_unit_starts_the_exporter_and_keeps_its_socket(tmp_path: Path) -> None:
    activate = program("systemd-socket-activate", package="systemd")
    path, log, address = tmp_path / "config.yaml", tmp_path / "log", free_address()
    path.write_text(CONFIG)
    variables = [f"--setenv={name}" for name in (*ENVIRON, "PYTHONPATH")]
    variables += [f"--setenv={name}" for name in os.environ if name.startswith("COVERAGE_")]
    starter = (activate, f"--listen={address}", *variables)
    command = (*EXPORTER, f"--config.file={path}", "--web.systemd-socket")
    with started(*starter, *command, log=log, environ=ENVIRON) as process:
        printed(log, "(Listening on )")
        with urlopen(f"http://{address}/-/healthy", timeout=20) as response:
            assert response.status == 200
        assert printed(log, r"msg=listening .*urls=(\S+)") == f"http://{address}"
        assert stop(process)[0] == 0
    assert shutil.which("systemd-socket-activate") == activate
