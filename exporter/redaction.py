"""Removes registered secrets from text.

A server or proxy may repeat a secret in an error, a header or a name. Secrets are registered before
they are sent, and every error and log line passes through :func:`redacted`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from threading import Lock

REDACTED = "<redacted>"
_API_SECRET = re.compile(r"cflt[A-Za-z0-9+/]{60}")
"""Any API secret of Confluent, registered or not."""
_DOT = r"(?:\.|%2[Ee])"
_PART = "[A-Za-z0-9_-]"
_JWT = re.compile(
    # The length of the header is bounded, so that hostile text does not take quadratic time.
    rf"eyJ{_PART}{{2,1024}}+(?={_DOT}(?:eyJ|{_PART}*+{_DOT}))(?:{_DOT}{_PART}*+){{1,4}}"
)
"""Any JSON Web Token (RFC 7519), registered or not: a JSON header, and JSON claims or two parts."""
_MIN_LENGTH = 8  # characters; a shorter secret may be an ordinary word
_MIN_LENGTH_MIXED = 12  # characters, with letters and digits
_MIN_LENGTH_LETTERS = 20  # characters, with letters in both cases
_MAX_REGISTERED = 4096
"""Enough for the current and the previous secret of two thousand organizations, and for as many
tokens."""


class Redactor:
    """Removes one secret in every common encoding.

    The encodings are plain text and base64, standard or URL-safe, with or without padding, at any
    offset, as in a Basic header. Each may also be percent-encoded or escaped for JSON.
    ``user``: the user name in the Basic header.
    """

    __slots__ = ("_compiled", "_data_probes", "_plain", "_probes")

    def __init__(self, secret: str, *, user: str = "") -> None:
        self._plain = [b64encode(f"{user}:{secret}".encode()).decode().rstrip("=")]
        if len(secret) >= _MIN_LENGTH:
            inside = [_inside_base64(secret.encode(), offset=offset) for offset in range(3)]
            self._plain += [secret, *inside]
        self._probes = tuple(
            max(re.findall("[A-Za-z0-9]+|.", each), key=len) for each in self._plain
        )
        self._data_probes = tuple(probe.encode() for probe in self._probes)
        self._compiled: tuple[re.Pattern[str], re.Pattern[bytes]] | None = None

    def starts(self) -> frozenset[str]:
        """Return the keys of this secret in :data:`_by_start`."""
        return frozenset(probe[:_START_LENGTH] for probe in self._probes)

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
        # Compiling takes a millisecond, and most secrets never appear in a text.
        if self._compiled is None:
            basic, *others = self._plain
            patterns = [_encodings(basic, base64=True)]
            if others:
                secret, *encoded = others
                patterns += [_encodings(secret, base64=False)]
                patterns += [_encodings(each, base64=True) for each in encoded]
            pattern = f"(?:{'|'.join(patterns)}){_PADDING}"
            self._compiled = re.compile(pattern), re.compile(pattern.encode())
        return self._compiled


def _inside_base64(data: bytes, *, offset: int) -> str:
    """Return the base64 characters that depend only on ``data`` when it is a part of longer data.

    ``offset``: the number of bytes before it, modulo 3.
    """
    encoded = b64encode(bytes(offset) + data).decode()
    return encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


# Repetitions are bounded, so that a body full of backslashes is not slower than any other.
_BACKSLASHES = r"\\{1,8}"
_PERCENT = "%(?:25){0,4}"
_PADDING = rf"(?:=|{_PERCENT}3[Dd]|{_BACKSLASHES}u003[Dd]){{0,2}}"


def _encodings(text: str, *, base64: bool) -> str:
    """Return a pattern for ``text``: plain, percent-encoded, or escaped for JSON."""
    url_safe = {"+": "-", "/": "_"} if base64 else {}
    return "".join(
        each
        if each.isascii() and each.isalnum()
        else f"(?:{'|'.join(_character_encodings(each, url_safe.get(each)))})"
        for each in text
    )


def _character_encodings(character: str, url_safe: str | None) -> list[str]:
    percent = "".join(f"{_PERCENT}{byte:02x}" for byte in character.encode())
    units = character.encode("utf-16-be").hex(" ", 2).split()
    json = "".join(f"{_BACKSLASHES}u{unit}" for unit in units)
    plain = f"(?:{_BACKSLASHES})?{re.escape(character)}"
    encodings = [plain, f"(?i:{percent})", f"(?i:{json})"]
    return encodings if url_safe is None else [*encodings, url_safe]


_START_LENGTH = 4  # characters
_lock = Lock()
_registered: dict[tuple[str, str], Redactor] = {}
"""By secret and user, the most recently registered last."""
_tokens: dict[tuple[str, str], Redactor] = {}
"""The same for tokens. They change every few minutes, and must not displace a secret that is
registered only once, such as the password of a proxy."""
_by_start: dict[str, tuple[Redactor, ...]] = {}
"""By the first characters of their probes. Searching a line for every secret would be too slow."""


def register(secret: str, *, user: str = "") -> Redactor:
    """Register ``secret`` for :func:`redacted`, and return its redactor.

    Previous secrets stay registered, because a response may still repeat them.
    """
    return _register(_registered, secret, user)


def register_token(token: str) -> Redactor:
    """Do the same for ``token``, which another one will soon replace."""
    return _register(_tokens, token, "")


def _register(registered: dict[tuple[str, str], Redactor], secret: str, user: str) -> Redactor:
    with _lock:
        existing = registered.pop((secret, user), None)
        redactor = registered[secret, user] = existing or Redactor(secret, user=user)
        if existing is None:
            for start in redactor.starts():
                _by_start[start] = (*_by_start.get(start, ()), redactor)
            while len(registered) > _MAX_REGISTERED:
                _unregister(registered.pop(next(iter(registered))))
        return redactor


def _unregister(redactor: Redactor) -> None:
    for start in redactor.starts():
        _by_start[start] = tuple(each for each in _by_start[start] if each is not redactor)
        if not _by_start[start]:
            del _by_start[start]


def is_jwt(text: str) -> bool:
    """Whether ``text`` is a JSON Web Token, registered or not."""
    return _JWT.fullmatch(text) is not None


def looks_like_a_secret(text: str) -> bool:
    """Whether ``text`` may be a generated secret or id, and not words."""
    letters = re.search("[A-Za-z]", text) is not None
    both_cases = re.search("[a-z]", text) is not None and re.search("[A-Z]", text) is not None
    return (
        (len(text) >= _MIN_LENGTH_MIXED and letters and len(re.findall("[0-9]", text)) > 1)
        or (len(text) >= _MIN_LENGTH_LETTERS and both_cases)
        or "cflt" in text
    )


def redacted(text: str) -> str:
    """Return ``text`` without registered secrets, API secrets of Confluent, and JWTs."""
    sizes, places = range(1, _START_LENGTH + 1), range(len(text))
    for start in {text[at : at + size] for size in sizes for at in places} & _by_start.keys():
        for redactor in _by_start.get(start, ()):  # another thread may have removed it
            text = redactor.text(text)
    return _JWT.sub(REDACTED, _API_SECRET.sub(REDACTED, text))
