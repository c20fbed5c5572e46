"""A service manager as process 1 of its own namespaces, with the exporter's files installed.

It needs root and the right to mount. At its end, it leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.markdown import ROOT
from tests.programs import TIMEOUT, eventually, program
from tests.systemd.unit_files import (
    ENVIRONMENT,
    NAME,
    SERVICE,
    SYSUSERS,
    TMPFILES,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = "/var/log/exporter.log"
SIMULATOR = "http://127.0.0.1:8089"
_NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--net")
_TARGETS = ("basic", "network-online", "shutdown", "sysinit")
_SHOWN = sorted({str(ROOT), str(Path(sys.prefix).resolve()), sys.prefix, sys.base_prefix})
"""Folders that the exporter runs from."""
_START = f"""\
#!/bin/sh
export PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1
exec {sys.executable} -m exporter "$@"
"""
_DROP_IN = f"""\
[Service]
StandardError=append:{LOG}
# These tests may be in a home folder.
ProtectHome=tmpfs
BindReadOnlyPaths={" ".join(_SHOWN)}
"""
_REMOVE_GROUP = """\
mount -t cgroup2 cgroup2 "$2"
find "$2$(sed -n 's/^0:://p' /proc/self/cgroup)/$1" -depth -type d -exec rmdir {} +
"""
_SIMULATOR = f"""\
[Service]
ExecStart={value("ExecStart").split()[0]} simulate --rate-limit=none
"""


class Machine:
    """A running service manager.

    ``pid``: its process, as this process sees it. ``console``: what it prints.
    """

    def __init__(self, pid: int, console: Path) -> None:
        self._pid = pid
        self._console = console

    def is_running(self) -> bool:
        """Whether systemd has booted."""
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in {"running", "degraded"}

    def run(self, *command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``command`` to its end; ``text`` is its standard input."""
        return subprocess.run(
            ["nsenter", f"--target={self._pid}", "--all", "--wd=/", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
            input=text,
        )

    def output(self, *command: str, text: str | None = None) -> str:
        """Return what ``command`` prints; fail with its error and the log of the exporter."""
        done = self.run(*command, text=text)
        if done.returncode != 0:
            logs = self.run("cat", LOG).stdout + self._console.read_text()
            pytest.fail(f"{command}: {done.stdout}{done.stderr}\n{logs}")
        return done.stdout

    def get(self, url: str, *, authorization: str) -> str:
        """Return the body of the response to a GET request."""
        code = (
            "import sys, urllib.request as u; _, url, authorization = sys.argv;"
            "request = u.Request(url, headers={'Authorization': authorization});"
            "print(u.urlopen(request).read().decode())"
        )
        return self.output(sys.executable, "-c", code, url, authorization)

    def show(self, setting: str) -> str:
        """Return what systemd knows about the service."""
        return self.output("systemctl", "show", "--value", f"--property={setting}", SERVICE.name)

    def write(self, path: str, text: str, *options: str) -> None:
        """Write a file that only root can read, unless ``options`` of `install` change that."""
        self.output("install", "-m", "600", *options, "/dev/stdin", path, text=text)


def _install(folder: Path) -> None:
    """Write what the machine has beside the files of this one to ``folder``."""
    units = {
        SERVICE.name: SERVICE.read_text(),
        f"{SERVICE.name}.d/test.conf": _DROP_IN,
        "simulator.service": _SIMULATOR,
        # Empty, so that none of this machine's services start.
        **{f"{each}.target": "[Unit]\nDefaultDependencies=no\n" for each in _TARGETS},
    }
    files = {f"etc/systemd/system/{name}": text for name, text in units.items()} | {
        f"etc/sysusers.d/{NAME}.conf": SYSUSERS.read_text(),
        f"etc/tmpfiles.d/{NAME}.conf": TMPFILES.read_text(),
        f"etc/default/{NAME}": ENVIRONMENT.read_text(),
        value("ExecStart").split()[0].lstrip("/"): _START,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot a machine while the context is open; skip the test if this is not possible here."""
    program("systemd-analyze", package="systemd")
    if os.geteuid() != 0:
        pytest.skip("a service manager of its own needs root")
    for name, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("kill", "procps")):
        program(name, package=package)
    log, new, files = folder / "console", folder / "new", folder / "files"
    new.mkdir()
    group = f"test-{uuid4()}"
    _install(files)
    boot = Path(__file__).with_name("boot.sh")
    # The machine ends with these tests, even if they are killed.
    unshare = ("setpriv", "--pdeathsig=KILL", "unshare", *_NAMESPACES, "--fork", "--kill-child")
    command = (
        *unshare,
        "--propagation=private",
        "sh",
        str(boot),
        group,
        str(new),
        str(files),
        *_SHOWN,
    )
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd="/") as process,
    ):
        try:
            machine = Machine(_started(process, log), log)
            eventually(machine.is_running, what=f"systemd runs: {log.read_text()}")
            yield machine
        finally:
            is_over = process.poll() is not None
            process.kill()
            process.wait()
            remove = ("unshare", "--mount", "sh", "-euc", _REMOVE_GROUP, "sh", group, str(new))
            eventually(
                lambda: (
                    subprocess.run(remove, capture_output=True, check=False).returncode == 0
                    or is_over
                ),  # it may not have had the right to create the group
                what=f"the control group {group} is empty",
            )


def _started(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until process 1 is systemd; return its id outside of the namespaces."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found: list[int] = []

    def look() -> bool:
        if process.poll() is not None:
            pytest.skip(f"no service manager of its own can be had here: {log.read_text().strip()}")
        with contextlib.suppress(OSError):  # a process that has ended
            found.extend(
                int(child)
                for child in children.read_text().split()
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd"
            )
        return bool(found)

    eventually(look, what=f"systemd starts: {log.read_text()}")
    return found[0]
