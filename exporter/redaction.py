"""Removes known secrets from text.

A server, or a proxy in front of it, may repeat what it was sent: in an error, in a header, in a
name. Secrets are registered before they are sent, and every error and log line passes through
:func:`redacted`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from threading import Lock

REDACTED = "<redacted>"
_SHAPE = re.compile(r"cflt[A-Za-z0-9+/]{60}")
"""Confluent's API secrets, known or not."""
_SHORTEST = 8  # characters; a shorter secret may be an ordinary word
_SHORTEST_MIXED = 12  # characters of letters and digits
_SHORTEST_LETTERS = 20  # characters of letters in both cases
_MOST_KNOWN = 4096
"""Enough for the current and the previous secret of two thousand organizations."""


class Redactor:
    """Removes one secret, however it is spelled.

    That is: plain; in base64, standard or URL-safe, with or without padding, at any offset and so
    also in a Basic header; and each of these percent-encoded or escaped for JSON. ``user`` is the
    user name that goes with it in a Basic header.
    """

    __slots__ = ("_compiled", "_data_probes", "_plain", "_probes")

    def __init__(self, secret: str, *, user: str = "") -> None:
        self._plain = [b64encode(f"{user}:{secret}".encode()).decode().rstrip("=")]
        if len(secret) >= _SHORTEST:
            inside = [_inside_base64(secret.encode(), offset=offset) for offset in range(3)]
            self._plain += [secret, *inside]
        self._probes = tuple(
            max(re.findall("[A-Za-z0-9]+|.", each), key=len) for each in self._plain
        )
        self._data_probes = tuple(probe.encode() for probe in self._probes)
        self._compiled: tuple[re.Pattern[str], re.Pattern[bytes]] | None = None

    def starts(self) -> frozenset[str]:
        """Return with which characters the secret begins, as :data:`_by_start` has it."""
        return frozenset(probe[:_START] for probe in self._probes)

    def text(self, text: str) -> str:
        """Return ``text`` without the secret."""
        if any(probe in text for probe in self._probes):
            return self._patterns()[0].sub(REDACTED, text)
        return text

    def data(self, data: bytes) -> bytes:
        """Return ``data``, such as the body of a response, without the secret."""
        if any(probe in data for probe in self._data_probes):
            return self._patterns()[1].sub(REDACTED.encode(), data)
        return data

    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[bytes]]:
        # Compiling takes a millisecond, and most secrets are never repeated.
        if self._compiled is None:
            basic, *others = self._plain
            spellings = [_spellings(basic, base64=True)]
            if others:
                secret, *encoded = others
                spellings += [_spellings(secret, base64=False)]
                spellings += [_spellings(each, base64=True) for each in encoded]
            pattern = f"(?:{'|'.join(spellings)}){_PADDING}"
            self._compiled = re.compile(pattern), re.compile(pattern.encode())
        return self._compiled


def _inside_base64(data: bytes, *, offset: int) -> str:
    """Return the characters that ``data`` always has within something larger in base64.

    ``offset``: the number of bytes before it, modulo 3. Characters that also depend on what is
    before or after it are left out.
    """
    encoded = b64encode(bytes(offset) + data).decode()
    return encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


# Repetitions are bounded, so that a body full of backslashes takes no longer than any other.
_BACKSLASHES = r"\\{1,8}"
_PERCENT = "%(?:25){0,4}"
_PADDING = rf"(?:=|{_PERCENT}3[Dd]|{_BACKSLASHES}u003[Dd]){{0,2}}"


def _spellings(text: str, *, base64: bool) -> str:
    """Return a pattern for ``text`` as it is, percent-encoded, or escaped for JSON."""
    url_safe = {"+": "-", "/": "_"} if base64 else {}
    return "".join(
        each
        if each.isascii() and each.isalnum()
        else f"(?:{'|'.join(_spellings_of(each, url_safe.get(each)))})"
        for each in text
    )


def _spellings_of(character: str, other: str | None) -> list[str]:
    percent = "".join(f"{_PERCENT}{byte:02x}" for byte in character.encode())
    units = character.encode("utf-16-be").hex(" ", 2).split()
    json = "".join(f"{_BACKSLASHES}u{unit}" for unit in units)
    plain = f"(?:{_BACKSLASHES})?{re.escape(character)}"
    spellings = [plain, f"(?i:{percent})", f"(?i:{json})"]
    return spellings if other is None else [*spellings, other]


_START = 4  # characters
_lock = Lock()
_known: dict[tuple[str, str], Redactor] = {}
"""Those used last at the end."""
_by_start: dict[str, tuple[Redactor, ...]] = {}
"""By the first characters of their probes, so that a line is not searched for each of thousands of
secrets."""


def know(secret: str, *, user: str = "") -> Redactor:
    """Register ``secret``, so that :func:`redacted` removes it from now on; return its redactor.

    Those that were replaced stay registered, because an answer to them may still be on its way.
    """
    with _lock:
        known = _known.pop((secret, user), None)
        redactor = _known[secret, user] = known or Redactor(secret, user=user)
        if known is None:
            for start in redactor.starts():
                _by_start[start] = (*_by_start.get(start, ()), redactor)
            while len(_known) > _MOST_KNOWN:
                _forget(_known.pop(next(iter(_known))))
        return redactor


def _forget(redactor: Redactor) -> None:
    for start in redactor.starts():
        _by_start[start] = tuple(each for each in _by_start[start] if each is not redactor)
        if not _by_start[start]:
            del _by_start[start]


def looks_like_a_secret(text: str) -> bool:
    """Whether ``text`` may be a generated secret or identifier, rather than words."""
    letters = re.search("[A-Za-z]", text) is not None
    both_cases = re.search("[a-z]", text) is not None and re.search("[A-Z]", text) is not None
    return (
        (len(text) >= _SHORTEST_MIXED and letters and len(re.findall("[0-9]", text)) > 1)
        or (len(text) >= _SHORTEST_LETTERS and both_cases)
        or "cflt" in text
    )


def redacted(text: str) -> str:
    """Return ``text`` without any registered secret, and without what looks like one."""
    sizes, places = range(1, _START + 1), range(len(text))
    for start in {text[at : at + size] for size in sizes for at in places} & _by_start.keys():
        for redactor in _by_start.get(start, ()):
            text = redactor.text(text)
    return _SHAPE.sub(REDACTED, text)
