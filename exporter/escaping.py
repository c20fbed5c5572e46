"""Text from outside, made safe for a terminal and for a line of a log."""

from __future__ import annotations

from unicodedata import category

from exporter.redaction import redacted

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, format characters (bidirectional marks, zero-width), lone surrogates, separators."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LONGEST_SECRET = 4096  # characters of any spelling


def escaped(text: str) -> str:
    r"""Return ``text`` in one line without characters that a terminal obeys or does not show.

    They are spelled as in JSON: ``\n``, ``\u001b``. Backslashes stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or category(each) not in _UNSAFE else _spelled(each)
        for each in text
    )


def _spelled(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return "".join(rf"\u{unit}" for unit in units)


def one_line(text: str, limit: int) -> str:
    """Return ``text`` from the network in one line of at most ``limit`` characters.

    Secrets are removed before it is cut: a part of one is a secret still.
    """
    line = escaped(redacted(text[: limit + _LONGEST_SECRET]))
    return line if len(line) <= limit else line[: limit - 1] + "…"
