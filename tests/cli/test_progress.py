"""One-shot commands under a rate limit that makes them wait."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import select
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest
from rich.text import Text
from structlog.testing import capture_logs

from exporter.app import Exporter
from exporter.cli import progress
from exporter.cli.one_shot import with_capped_reserve
from exporter.cli.progress import countdown, progress_display
from exporter.cli.report_fetch import fetch_reports
from exporter.clock import SystemClock
from exporter.collectors import ApiKeysCollector, QuotasCollector, SampledNamesCollector
from exporter.collectors.names import DIRECTORY
from exporter.confluent.pacing import Wait
from exporter.simulator import SimulatedRateLimit
from tests.cli.api import ENVIRON, api
from tests.harness import Harness, configuration
from tests.programs import (
    EXPORTER,
    ROOT,
    TIMEOUT,
    environment_of_a_terminal,
    run,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FromZero(SystemClock):
    """A clock whose monotonic time starts at 0, and with it the first rate limit window."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def monotonic(self) -> float:
        return time.monotonic() - self._began


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[str]:
    """A configuration for an API that answers four requests in ten minutes."""
    path = tmp_path / "config.yaml"
    with api(keys=50, rate_limit=SimulatedRateLimit(4, 600), clock=FromZero()) as url:
        path.write_text(
            f"defaults: {{url: {url}, refresh_interval: 1h, rate_limit: {{reserve: 0}}}}\n"
            "organizations: [{name: acme}]\n"
        )
        yield f"--config.file={path}"


@pytest.mark.integration
@pytest.mark.parametrize("command", ["check", "once", "report"])
def test_a_terminal_shows_a_countdown_with_the_reason_and_how_to_stop(
    limited: str, command: str
) -> None:
    terminal, theirs = pty.openpty()
    process = start(
        [*EXPORTER, command, limited],
        env=environment_of_a_terminal(columns=80) | ENVIRON,
        cwd=ROOT,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    line = r"Waiting (\d+) s for the rate limit of acme to reset\. Press Ctrl-C to stop\."
    seen, deadline = "", time.monotonic() + TIMEOUT
    try:
        while len(set(re.findall(line, seen))) < 2:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, seen
            seen += os.read(terminal, 65_536).decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 130
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    first, second, *_ = dict.fromkeys(map(int, re.findall(line, seen)))
    assert 560 < second < first <= 602  # rounded up by the server, the client, and jitter
    assert command == "once" or "level=info" not in seen


@pytest.mark.integration
def test_once_after_its_timeout_prints_what_it_has_and_what_is_missing(
    limited: str,
) -> None:
    done = run("once", limited, "--timeout=1s", environ=ENVIRON)
    assert done.returncode == 1
    assert 'confluent_cloud_organization_api_keys{organization="acme"} 50.0' in done.stdout
    assert 'confluent_cloud_up{collector="names",organization="acme"} 0.0' in done.stdout
    *log, last = done.stderr.splitlines()
    assert last == (
        "confluent-api-keys-exporter: not complete within the `--timeout` of 1s:"
        " acme (names, quotas)"
    )
    (waits,) = [entry for entry in log if "waiting for the rate limit to reset" in entry]
    assert " organization=acme reason=reserve seconds=" in waits


@pytest.mark.integration
def test_check_after_its_timeout_prints_what_is_missing(limited: str) -> None:
    done = run("check", limited, "--timeout=1s", environ=ENVIRON)
    assert done.returncode == 1
    assert done.stdout.startswith("acme: ok: 50 keys of ")
    late = "failed (timeout): not complete within the `--timeout` of 1s"
    assert done.stdout.splitlines()[-2:] == [f"  names {late}", f"  quotas {late}"]


@pytest.mark.integration
def test_check_without_keys_in_time_prints_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = tmp_path / "config.yaml"
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        path.write_text(f"organizations: [{{name: acme, url: {url}}}]\n")
        done = run("check", f"--config.file={path}", "--timeout=300ms", environ=ENVIRON)
    assert (done.returncode, done.stdout) == (
        1,
        "acme: failed (timeout): not complete within the `--timeout` of 300ms\n",
    )


async def test_report_after_its_timeout_leaves_out_the_organization() -> None:
    harness = Harness(50, settings="names: {enabled: true}", rate_limit=SimulatedRateLimit(4, 120))
    with capture_logs() as logs:
        (report,) = await fetch_reports(
            harness.exporter.hosts(),
            clock=harness.clock,
            on_progress=lambda *_, **__: None,
            timeout=9,
        )
    assert report.failed
    assert harness.clock.monotonic() == 9
    (failed,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert failed["event"] == "organization is missing from the report"
    assert failed["reason"] == "timeout"
    assert failed["error"] == "not complete within the `--timeout` of 9s"


async def test_a_check_prints_the_same_with_fewer_requests() -> None:
    harness = Harness(400, settings="names: {users: true}, quotas: {enabled: true}")
    await harness.exporter.refresh_once()
    full, everything = harness.described(), len(harness.sent)
    harness.sent.clear()
    check = Exporter(
        harness.config,
        clock=harness.clock,
        transport=lambda _: harness.wire,
        process_metrics=False,
        collectors=(ApiKeysCollector, SampledNamesCollector, QuotasCollector),
    )
    await check.refresh_once()
    harness.exporter = check
    assert harness.described() == full
    asked = [request.url.path for request in harness.sent]
    assert asked.count("/srcm/v3/clusters") == asked.count("/ksqldbcm/v2/clusters") == 1
    environments = len(check.states()[0].get(DIRECTORY).environments)
    assert environments > 1
    assert len(asked) == everything - 2 * (environments - 1)


def test_a_check_leaves_a_quarter_to_others_and_no_more_than_is_configured() -> None:
    def reserve(settings: str) -> float:
        loaded = with_capped_reserve(configuration(settings))
        return loaded.organizations[0].rate_limit.reserve

    assert reserve("rate_limit: {reserve: 0.9}") == 0.25
    assert reserve("rate_limit: {reserve: 0.1}") == 0.1


@pytest.mark.parametrize(
    ("waits", "line"),
    [
        ({}, ""),
        ({"acme": ()}, ""),
        (
            {"acme": (Wait(101.2, "backoff"),)},
            "Waiting 2 s before retrying a failed request of acme. Press Ctrl-C to stop.",
        ),
        (
            {"acme": (Wait(130.0, "retry_after"), Wait(110.0, "reserve"))},
            "Waiting 30 s because the API rate-limited acme. Press Ctrl-C to stop.",
        ),
        (
            {"a": (Wait(101.0, "reserve"),), "b": (Wait(140.0, "reserve"),), "c": ()},
            "Waiting 40 s for the rate limit of b and 1 more to reset. Press Ctrl-C to stop.",
        ),
        (
            {"a" * 64: (Wait(101.0, "reserve"),)},
            f"Waiting 1 s for the rate limit of {'a' * 23}… to reset. Press Ctrl-C to stop.",
        ),
        (
            {"acme": (Wait(99.0, "reserve"),)},
            "Waiting 0 s for the rate limit of acme to reset. Press Ctrl-C to stop.",
        ),
    ],
)
def test_the_countdown(waits: dict[str, tuple[Wait, ...]], line: str) -> None:
    assert countdown(waits, now=100.0) == line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def client_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("exporter.confluent.pacing")
    before = logger.level
    yield logger
    logger.setLevel(before)


def replace_stderr(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard error a terminal. Not a fixture: pytest replaces it after the set-up."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
async def test_the_display_replaces_the_info_lines_of_the_client(
    monkeypatch: pytest.MonkeyPatch, client_logger: logging.Logger, level: int
) -> None:
    terminal, harness = replace_stderr(monkeypatch), Harness(1)
    client_logger.setLevel(level)
    with progress_display(Text("Listing"), harness.exporter, clock=harness.clock):
        assert client_logger.isEnabledFor(logging.INFO) == (level == logging.DEBUG)
    assert client_logger.level == level
    assert "Listing" in terminal.getvalue()


@pytest.mark.parametrize("keep_activity", [True, False])
async def test_the_countdown_is_below_the_activity_or_replaces_it(
    monkeypatch: pytest.MonkeyPatch, *, keep_activity: bool
) -> None:
    terminal, harness = replace_stderr(monkeypatch), Harness(1)
    monkeypatch.setattr(progress, "countdown", lambda *_, **__: "Waiting 3 s")
    with progress_display(
        Text("Listing"), harness.exporter, clock=harness.clock, keep_activity=keep_activity
    ):
        pass
    assert "Waiting 3 s" in terminal.getvalue()
    assert ("Listing" in terminal.getvalue()) is keep_activity
