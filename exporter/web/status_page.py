"""The status page of every organization, without scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jinja2

from exporter.summary import duration
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.refresh import OrganizationState
    from exporter.summary import Summary

_RELOAD, _FIRST_RELOAD = 60, 10
"""Seconds between reloads, and while a first refresh is still in progress."""
_BREAK = re.compile(r"(?<=[._/])(?=[^._/])")
_LONG_NUMBER = re.compile(r"\b\d{4,}\b")
_PAGE = jinja2.Environment(
    loader=jinja2.PackageLoader("exporter", "web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("status_page.html.j2")


@dataclass(frozen=True)
class Moment:
    """A time, absolute and relative."""

    at: str
    """UTC, such as ``2026-11-24 06:36:14 UTC``."""
    relative: str
    """Such as ``3 min ago`` or ``in 2 h``."""


def render_status_page(
    organizations: Sequence[tuple[OrganizationState, Sequence[Summary]]],
    *,
    rejected_config: str | None,
    wall: float,
    telemetry_path: str,
) -> str:
    """Return the page at the Unix time ``wall``: each organization with its summaries."""
    attempted = all(state.attempted for state, _ in organizations)
    return _PAGE.render(
        organizations=organizations,
        reload_seconds=_RELOAD if attempted else _FIRST_RELOAD,
        rejected_config=rejected_config,
        version=__version__,
        telemetry_path=telemetry_path,
        now=moment(wall, now=wall).at,
        moment=lambda at: moment(at, now=wall),
        now_wall=wall,
        count=_count,
        grouped=lambda text: _LONG_NUMBER.sub(lambda match: _count(int(match[0])), text),
        duration=duration,
        parts=_BREAK.split,  # browsers do not break a_b.c by themselves
    )


def _count(value: int | str) -> str:
    """Return a number with its digits grouped; text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


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
