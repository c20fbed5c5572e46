"""Progress of the commands that ask the API once and then end."""

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
_NAME_SHOWN = 24  # characters; the line has to fit a terminal
_WHAT_FOR = {
    "reserve": "for the rate limit of {} to reset",
    "retry_after": "as the API asked {} to",
    "backoff": "before retrying a failed request of {}",
}


@contextlib.contextmanager
def showing(
    activity: RenderableType, exporter: Exporter, *, clock: Clock, beside: bool = False
) -> Iterator[None]:
    """Show ``activity`` on standard error while the context is open, if that is a terminal.

    While requests have to wait, a countdown says why and how to stop, below ``activity`` if
    ``beside``, else in its place. Elsewhere the client's log lines say so.
    """
    console = Console(stderr=True)
    # rich alone would take FORCE_COLOR for a terminal, and fill a log file with control sequences.
    if not (sys.stderr.isatty() and console.is_interactive):
        yield
        return

    def display() -> RenderableType:
        waits = {each.name: host.waits for each, host in exporter.hosts()}
        line = countdown(waits, now=clock.monotonic())
        if not line:
            return activity
        text = Text(line, no_wrap=True, overflow="ellipsis")
        return Group(activity, text) if beside else text

    live = Live(
        get_renderable=display,
        console=console,
        refresh_per_second=_UPDATES_PER_SECOND,
        redirect_stdout=False,
        transient=True,
    )
    with _without_waits_in_the_log():
        with signals_blocked():
            live.start()
        try:
            yield
        finally:
            live.stop()


def timed_out(timeout: float | None) -> Failure:
    """Return the failure of what was not complete within ``--timeout``, in seconds."""
    given = format_duration(timeout or 0.0)
    return Failure("timeout", f"not complete within the `--timeout` of {given}", None)


def countdown(waits: Mapping[str, Sequence[Wait]], *, now: float) -> str:
    """Return a line about the longest of ``waits``, which are by organization; empty without any.

    ``now``: monotonic seconds.
    """
    longest = {name: max(each) for name, each in waits.items() if each}
    if not longest:
        return ""
    name = max(longest, key=longest.__getitem__)
    shown = name if len(name) <= _NAME_SHOWN else f"{name[: _NAME_SHOWN - 1]}…"
    more = f" and {len(longest) - 1} more" if len(longest) > 1 else ""
    what_for = _WHAT_FOR[longest[name].reason].format(shown + more)
    seconds = max(0, math.ceil(longest[name].until - now))
    return f"Waiting {seconds} s {what_for}. Press Ctrl-C to stop."


@contextlib.contextmanager
def _without_waits_in_the_log() -> Iterator[None]:
    """Leave out the client's info lines: the countdown replaces them."""
    logger = logging.getLogger("exporter.confluent.pacing")
    before = logger.level
    if logger.isEnabledFor(logging.INFO) and not logger.isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
