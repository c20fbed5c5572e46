"""Makes text safe for a terminal and for a log line."""

from __future__ import annotations

from unicodedata import category

from exporter.redaction import redacted

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, format characters (bidirectional marks, zero-width), lone
surrogates, and separators of lines and paragraphs."""
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_MAX_SECRET = 64 * 1024  # characters, of the longest token in any encoding


def escaped(text: str) -> str:
    r"""Return ``text`` with control characters and invisible characters escaped as in JSON.

    For example ``\n`` and ``\u001b``, so that the result is one line. Backslashes are not escaped.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or category(each) not in _UNSAFE else _escape(each)
        for each in text
    )


def _escape(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return "".join(rf"\u{unit}" for unit in units)


def one_line(text: str, limit: int) -> str:
    """Return ``text`` escaped, redacted, and truncated to ``limit`` characters.

    Redacted before it is truncated, because a part of a secret would not be recognized.
    """
    line = escaped(redacted(text[: limit + _MAX_SECRET]))
    return line if len(line) <= limit else line[: limit - 1] + "…"
