"""Which format and which encoding a client gets, by its ``Accept`` headers (RFC 9110 §12.5).

Only what is spoken is ever announced: a client that asks for a version unknown here gets 0.0.4,
which every Prometheus reads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.exposition.text import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_ENTRIES = 64  # of a header; what comes after is not looked at
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
_SPOKEN = {
    ("application/openmetrics-text", "1.0.0"): Format.OPENMETRICS,
    ("application/openmetrics-text", ""): Format.OPENMETRICS,
    ("text/plain", "0.0.4"): Format.TEXT,
    ("text/plain", ""): Format.TEXT,
    ("text/*", ""): Format.TEXT,
    ("*/*", ""): Format.TEXT,
}


def choose_format(accept: str) -> Format:
    """Return the format with the highest quality, the first of equals; else the text format."""
    best, best_quality = Format.TEXT, 0.0
    for media_type, parameters, quality in _entries(accept):
        form = _SPOKEN.get((media_type, parameters.get("version", "")))
        if form is not None and quality > best_quality:
            best, best_quality = form, quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the client takes gzip; one that says nothing gets the plain bytes."""
    qualities = {coding: quality for coding, _, quality in _entries(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _entries(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield value, parameters and quality of each entry; entries with a broken quality count 0."""
    for entry in header.split(",", _MAX_ENTRIES)[:_MAX_ENTRIES]:
        value, *rest = (part.strip() for part in entry.split(";"))
        parameters = {
            name.strip().lower(): content.strip().strip('"')
            for name, _, content in (part.partition("=") for part in rest)
        }
        quality = parameters.get("q", "1")
        yield value.lower(), parameters, float(quality) if _QUALITY.fullmatch(quality) else 0.0
