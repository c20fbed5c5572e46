"""Processes to measure: start them, wait for them, and read their CPU time and memory."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from benchmarks.fetch import SECRET
from benchmarks.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PYTHON = sys.executable
ROOT = Path(__file__).parents[1]
TIMEOUT = 120.0
"""Seconds after which waiting for a process fails."""
_POLL = 0.002  # seconds
_SUCCESS = re.compile(
    rb"(?m)^confluent_cloud_exporter_last_success_timestamp_seconds"
    rb'\{collector="api_keys".*\} (\S+)$'
)


@dataclass(frozen=True)
class Running:
    """A child process that is ready."""

    process: subprocess.Popen[bytes]
    url: str
    """The first group of the pattern that it printed when it was ready."""
    log: Path
    """Its standard output and error."""
    verify: ssl.SSLContext | bool = True
    """How to verify the certificate of an https URL."""

    def cpu(self) -> float:
        """Return the user and system seconds of all its threads.

        From its CPU clock, ``clock_getcpuclockid(3)``: /proc/PID/stat counts hundredths of a
        second, and a small refresh takes two of them.
        """
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory(self, name: str = "VmRSS") -> float:
        """Return its resident memory in MiB; ``VmHWM`` is the peak."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"(?m)^{name}:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index] # on Linux

    def wait_for(self, pattern: str, *, count: int = 1) -> re.Match[str]:
        """Return match number ``count`` of ``pattern`` in the whole lines of its output.

        Raises ``RuntimeError`` with the output if the process ends or the time is up.
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            over = self.process.poll() is not None or time.monotonic() > deadline
            text = self.log.read_text()
            matches = list(re.finditer(pattern, text[: text.rfind("\n") + 1], re.MULTILINE))
            if len(matches) >= count:
                return matches[count - 1]
            if over:
                raise RuntimeError(f"{self.process.args!r} did not print {pattern}: {text}")
            time.sleep(_POLL)

    def wait_until_ready(self) -> None:
        """Return when every organization of the exporter has been refreshed once."""
        deadline = time.monotonic() + TIMEOUT
        with httpx.Client(trust_env=False, verify=self.verify) as client:
            while not client.get(f"{self.url}/-/ready").is_success:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"not ready: {self.log.read_text()}")
                time.sleep(_POLL)

    def metrics(self, encoding: str = "identity", *, user: tuple[str, str] | None = None) -> bytes:
        """Return the body of a scrape by ``user``, a name and a password; still compressed."""
        headers = {"Accept": "text/plain", "Accept-Encoding": encoding}
        with httpx.stream(
            "GET",
            f"{self.url}/metrics",
            headers=headers,
            auth=user,
            verify=self.verify,
            trust_env=False,
            timeout=TIMEOUT,
        ) as response:
            return b"".join(response.raise_for_status().iter_raw())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the process while the context is open."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def refreshed_since(began: float, process: Running) -> int:
    """Return the number of organizations that were refreshed since the Unix time ``began``."""
    return sum(float(at) > began for at in _SUCCESS.findall(process.metrics()))


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child process, which must find this project."""
    return os.environ | {"PYTHONPATH": str(ROOT), **(env or {})}


@contextmanager
def running(
    *arguments: str, env: Mapping[str, str] | None = None, ready: str = r"^(http://\S+)$"
) -> Iterator[Running]:
    """Run Python with ``arguments`` while the context is open.

    Yields when a line of its output matches ``ready``.
    Raises ``RuntimeError`` with the output if it ends before that.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with (
            log.open("wb") as file,
            subprocess.Popen(
                (PYTHON, *arguments), env=environment(env), stdout=file, stderr=subprocess.STDOUT
            ) as process,
        ):
            try:
                url = Running(process, "", log).wait_for(ready)[1]
                yield Running(process, url, log)
            finally:
                process.terminate()
                try:
                    process.wait(TIMEOUT)
                finally:
                    process.kill()


def write_config(path: Path, organizations: Sequence[Mapping[str, object]]) -> None:
    """Write the configuration of these organizations to ``path``."""
    path.write_text(yaml.safe_dump({"organizations": organizations}))


@contextmanager
def exporter(
    organizations: Sequence[Mapping[str, object]],
    *,
    python: Sequence[str] = ("-m", "exporter"),
    env: Mapping[str, str] | None = None,
    web_config: Path | None = None,
    ca: Path | None = None,
    config: Path | None = None,
) -> Iterator[Running]:
    """Run the exporter for these :func:`organizations` while the context is open.

    ``python``: arguments of the interpreter that start the exporter. ``web_config``: its web
    configuration file. ``ca``: the CA of its certificate. ``config``: where its configuration is
    written; by default in a folder of its own.
    """
    web = [] if web_config is None else [f"--web.config.file={web_config}"]
    with tempfile.TemporaryDirectory() as folder:
        path = config or Path(folder) / "config.yaml"
        write_config(path, organizations)
        with running(
            *python,
            f"--config.file={path}",
            "--web.listen-address=127.0.0.1:0",
            *web,
            env={"SECRET": SECRET, **(env or {})},
            ready=r"msg=listening .*urls=(\S+)",
        ) as child:
            verify = True if ca is None else ssl.create_default_context(cafile=ca)
            yield replace(child, verify=verify)


@contextmanager
def upstream(keys: int, organizations: int = 1, *, churning: bool = False) -> Iterator[Running]:
    """Run :mod:`benchmarks.upstream` while the context is open."""
    churn = ["--churning"] if churning else []
    arguments = (f"--keys={keys}", f"--organizations={organizations}", *churn)
    with running("-m", "benchmarks.upstream", *arguments) as child:
        yield child


def organizations(
    url: str, number: int = 1, *, prefix: str = "org", **settings: object
) -> list[dict[str, Any]]:
    """Return the configuration of organizations that :func:`upstream` serves at ``url``.

    Names and quotas are disabled unless ``settings`` enable them.
    """
    off = {"enabled": False}
    return [
        {
            "name": f"{prefix}{position}",
            "credentials": {"api_key": f"KEY{position}", "api_secret_env": "SECRET"},
            "url": url,
            "names": off,
            "quotas": off,
            **settings,
        }
        for position in range(number)
    ]


def load(
    url: str,
    *,
    seconds: float,
    connections: int = 4,
    encoding: str = "gzip",
    rate: float = 0,
    user: str = "",
    ca: Path | None = None,
) -> Load:
    """Scrape the metrics at ``url`` from another process; see :mod:`benchmarks.load`."""
    command = [PYTHON, "-m", "benchmarks.load", f"{url}/metrics", f"--rate={rate}"]
    command += [f"--connections={connections}", f"--seconds={seconds}", f"--encoding={encoding}"]
    command += [f"--user={user}", *([] if ca is None else [f"--ca={ca}"])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment())
    return Load(**json.loads(done.stdout))
