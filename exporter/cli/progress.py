"""The progress display of ``check``, ``once`` and ``report``."""

from __future__ import annotations

import contextlib
import logging
import math
import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from exporter.cli.signals import signals_blocked
from exporter.config.durations import format_duration
from exporter.refresh import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from exporter.app import Exporter
    from exporter.clock import Clock
    from exporter.confluent.pacing import Wait

_UPDATES_PER_SECOND = 8
_MAX_NAME = 24  # characters; the line should fit a terminal
_REASONS = {
    "reserve": "for the rate limit of {} to reset",
    "retry_after": "because the API rate-limited {}",
    "backoff": "before retrying a failed request of {}",
}


@contextlib.contextmanager
def progress_display(
    activity: RenderableType, exporter: Exporter, *, clock: Clock, keep_activity: bool = False
) -> Iterator[None]:
    """Show ``activity`` on standard error while the context is open, if that is a terminal.

    While requests wait, a countdown shows the reason and how to stop. It replaces ``activity``, or
    is below it with ``keep_activity``. Without a terminal, the client logs each wait.
    """
    console = Console(stderr=True)
    # With FORCE_COLOR, rich alone would write control sequences to a log file.
    if not (sys.stderr.isatty() and console.is_interactive):
        yield
        return

    def display() -> RenderableType:
        waits = {each.name: host.waits for each, host in exporter.hosts()}
        line = countdown(waits, now=clock.monotonic())
        if not line:
            return activity
        text = Text(line, no_wrap=True, overflow="ellipsis")
        return Group(activity, text) if keep_activity else text

    live = Live(
        get_renderable=display,
        console=console,
        refresh_per_second=_UPDATES_PER_SECOND,
        redirect_stdout=False,
        transient=True,
    )
    with _client_info_logs_disabled():
        with signals_blocked():
            live.start()
        try:
            yield
        finally:
            live.stop()


def timeout_failure(timeout: float | None) -> Failure:
    """Return the failure of a collector that did not finish within ``--timeout`` (seconds)."""
    duration = format_duration(timeout or 0.0)
    return Failure("timeout", f"not complete within the `--timeout` of {duration}", None)


def countdown(waits: Mapping[str, Sequence[Wait]], *, now: float) -> str:
    """Return a line about the longest of ``waits``; empty if there are none.

    ``waits``: by organization. ``now``: monotonic seconds.
    """
    longest = {name: max(each) for name, each in waits.items() if each}
    if not longest:
        return ""
    name = max(longest, key=longest.__getitem__)
    shown = name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
    more = f" and {len(longest) - 1} more" if len(longest) > 1 else ""
    reason = _REASONS[longest[name].reason].format(shown + more)
    seconds = max(0, math.ceil(longest[name].until - now))
    return f"Waiting {seconds} s {reason}. Press Ctrl-C to stop."


@contextlib.contextmanager
def _client_info_logs_disabled() -> Iterator[None]:
    """Do not log at level info in the host: the countdown replaces those lines."""
    logger = logging.getLogger("exporter.confluent.pacing")
    before = logger.level
    if logger.isEnabledFor(logging.INFO) and not logger.isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
