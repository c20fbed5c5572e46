"""Repairs invalid values in JSON without changing its structure.

One broken description must not fail a listing. Values that a strict parser rejects are replaced:
broken text with U+FFFD, invalid numbers and excessive nesting with ``null``. Brackets, commas and
colons are never added, so a truncated body stays unreadable.
"""

from __future__ import annotations

import json as json_module
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Replaces broken text."""
_ESCAPED_REPLACEMENT = b"\\ufffd"
_MAX_STEPS = 200_000
"""Tokens and repaired escapes of one page. A page of 100 keys has about 6,000 tokens."""
_MAX_DEPTH = 64
_MAX_TEXT = 64 * 1024  # bytes; longer than any displayed text
_MAX_NUMBER = 64  # characters; Python and msgspec refuse integers of thousands of digits

# Possessive, and an unfinished string ends the work, so each byte is read once.
_TOKEN = re.compile(
    rb'(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<unfinished>")'
    rb"|(?P<open>[\[{]++)|(?P<close>[\]}]++)|(?P<mark>[,:])"
    rb'|(?P<scalar>[^ \t\n\r"\[\]{},:]++)',
    re.DOTALL,
)
_SUSPECT = re.compile(rb"[\x00-\x1f\\]")
_ESCAPE = re.compile(
    rb"(?P<fine>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb'|\\["\\/bfnrt])'
    rb"|(?P<control>[\x00-\x1f])"
    rb"|\\u[0-9a-fA-F]{4}|\\.",
    re.DOTALL,
)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


class Repair:
    """Repairs the parts of one page, with a limit on the work for the whole page."""

    def __init__(self) -> None:
        self._steps = _MAX_STEPS

    def __call__(self, json: bytes) -> bytes:
        """Return ``json`` with valid values.

        Raises ``ValueError`` if a string does not end or the page takes too much work.
        """
        parts: list[bytes] = []
        depth = 0
        for token in _TOKEN.finditer(json):
            self._step()
            kind, spelling = token.lastgroup, token[0]
            if kind == "unfinished":
                raise ValueError("a string does not end")
            before = depth
            if kind == "open":
                depth += len(spelling)
                spelling = spelling[: max(0, _MAX_DEPTH - before)]
                if before <= _MAX_DEPTH < depth:
                    spelling += b"null"
            elif kind == "close":
                depth -= len(spelling)
                spelling = spelling[max(0, before - _MAX_DEPTH) :]
            elif depth > _MAX_DEPTH:
                continue
            elif kind == "text":
                spelling = self._text(spelling)
            elif kind == "scalar":
                spelling = _scalar(spelling)
            parts.append(spelling)
        return b" ".join(parts)  # so that no two tokens merge

    def _text(self, text: bytes) -> bytes:
        if text.isascii() and not _SUSPECT.search(text):
            return text
        if len(text) > _MAX_TEXT:
            return b'"' + _ESCAPED_REPLACEMENT + b'"'
        return _ESCAPE.sub(self._escape, text.decode(errors="replace").encode())

    def _escape(self, found: re.Match[bytes]) -> bytes:
        self._step()
        match found.lastgroup:
            case "fine":
                return found[0]
            case "control":
                return b"\\u%04x" % found[0][0]
        return _ESCAPED_REPLACEMENT

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise ValueError("too much of the page is broken")


def _scalar(spelling: bytes) -> bytes:
    if spelling in {b"true", b"false", b"null"}:
        return spelling
    usable = len(spelling) <= _MAX_NUMBER and _NUMBER.fullmatch(spelling)
    return spelling if usable and math.isfinite(float(spelling)) else b"null"


def without_unusable(json: bytes, optional: Mapping[str, Callable[[object], bool]]) -> bytes:
    """Return ``json`` without optional members that have unusable values.

    ``optional``: by the name of a member, at any depth, whether a value is usable. Raises
    ``ValueError`` and ``RecursionError`` if ``json`` cannot be parsed.
    """

    def usable(members: list[tuple[str, object]]) -> dict[str, object]:
        return {
            name: value for name, value in members if name not in optional or optional[name](value)
        }

    return json_module.dumps(json_module.loads(json, object_pairs_hook=usable)).encode()
