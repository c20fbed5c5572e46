"""The page for people: what is known of each organization, without scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jinja2

from exporter.refresh import summarize
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.refresh import OrganizationState

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_RELOAD, _FIRST_RELOAD = 60, 10
"""Seconds between reloads, and while a first refresh is still in progress."""
_BREAK = re.compile(r"(?<=[._/])(?=[^._/])")
_PAGE = jinja2.Environment(
    loader=jinja2.PackageLoader("exporter", "web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("status_page.html.j2")


@dataclass(frozen=True)
class Moment:
    """A time in the two ways a person reads it."""

    at: str
    """UTC, such as ``2026-11-24 06:36:14 UTC``."""
    relative: str
    """Such as ``3 min ago`` or ``in 2 h``."""


def render_status_page(
    states: Sequence[OrganizationState],
    *,
    rejected_config: str | None,
    wall: float,
    monotonic: float,
    telemetry_path: str,
) -> str:
    """Return the page at the Unix time ``wall`` and the clock's ``monotonic`` time."""
    return _PAGE.render(
        states=states,
        reload_seconds=_RELOAD if all(state.attempted for state in states) else _FIRST_RELOAD,
        rejected_config=rejected_config,
        version=__version__,
        telemetry_path=telemetry_path,
        now=moment(wall, now=wall).at,
        moment=lambda at: moment(at, now=wall),
        now_wall=wall,
        fresh_for=lambda state: state.fresh_until - monotonic,
        summarize=summarize,
        count=lambda number: f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        duration=duration,
        parts=_BREAK.split,  # browsers do not break a_b.c by themselves
    )


def moment(at: float, *, now: float) -> Moment:
    """Return the Unix time ``at`` for a reader at ``now``."""
    try:
        text = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        text = "never"
    seconds = at - now
    if abs(seconds) < 1:
        return Moment(text, "now")
    return Moment(text, f"in {duration(seconds)}" if seconds > 0 else f"{duration(-seconds)} ago")


def duration(seconds: float) -> str:
    """Return ``seconds`` in the two largest units that matter, such as ``1 h 30 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    rest = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
        if len(parts) == 2:  # noqa: PLR2004 # as the docstring says
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"
