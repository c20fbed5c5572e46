"""Chooses format and encoding by the ``Accept`` headers of a client (RFC 9110 §12.5).

A client that only accepts unsupported versions gets 0.0.4, which every Prometheus reads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.exposition.text import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_ENTRIES = 64  # of a header; others are ignored
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
_SUPPORTED = {
    ("application/openmetrics-text", "1.0.0"): Format.OPENMETRICS,
    ("application/openmetrics-text", ""): Format.OPENMETRICS,
    ("text/plain", "0.0.4"): Format.TEXT,
    ("text/plain", ""): Format.TEXT,
    ("text/*", ""): Format.TEXT,
    ("*/*", ""): Format.TEXT,
}


def choose_format(accept: str) -> Format:
    """Return the supported format with the highest quality, by default the text format.

    Of equal qualities, the first one in the header wins.
    """
    best, best_quality = Format.TEXT, 0.0
    for media_type, parameters, quality in _entries(accept):
        form = _SUPPORTED.get((media_type, parameters.get("version", "")))
        if form is not None and quality > best_quality:
            best, best_quality = form, quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client accepts gzip; without the header, it does not."""
    qualities = {coding: quality for coding, _, quality in _entries(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _entries(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the value, parameters and quality of each entry; an invalid quality is 0."""
    for entry in header.split(",", _MAX_ENTRIES)[:_MAX_ENTRIES]:
        value, *rest = (part.strip() for part in entry.split(";"))
        parameters = {
            name.strip().lower(): content.strip().strip('"')
            for name, _, content in (part.partition("=") for part in rest)
        }
        quality = parameters.get("q", "1")
        yield value.lower(), parameters, float(quality) if _QUALITY.fullmatch(quality) else 0.0
