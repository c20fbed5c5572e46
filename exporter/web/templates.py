"""The templates of the pages, with their common functions and headers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jinja2

from exporter.summary import duration, timestamp
from exporter.version import __version__

_BREAK = re.compile(r"(?<=[._/])(?=[^._/])")
_LONG_NUMBER = re.compile(r"\b\d{4,}\b")
PAGE_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def content_security_policy(*, form_action: str) -> str:
    """Return the policy of a page without scripts."""
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
        f" base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )


@dataclass(frozen=True)
class Moment:
    """A time, absolute and relative."""

    at: str
    """UTC, such as ``2026-11-24 06:36:14 UTC``."""
    relative: str
    """Such as ``3 min ago`` or ``in 2 h``."""


def moment(at: float, *, now: float) -> Moment:
    """Return the Unix time ``at``, also relative to ``now``."""
    text = timestamp(at)
    seconds = at - now
    if abs(seconds) < 1:
        return Moment(text, "now")
    return Moment(text, f"in {duration(seconds)}" if seconds > 0 else f"{duration(-seconds)} ago")


def count(value: int | str) -> str:
    """Return a number with its digits grouped; text unchanged."""
    if isinstance(value, str):
        return value
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def template(name: str) -> jinja2.Template:
    """Return the template in the file ``name`` of this package."""
    return _ENVIRONMENT.get_template(name)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("exporter", "web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals |= {
    "count": count,
    "duration": duration,
    "grouped": lambda text: _LONG_NUMBER.sub(lambda match: count(int(match[0])), text),
    "parts": _BREAK.split,  # browsers do not break a_b.c by themselves
    "version": __version__,
}
