"""Credentials: where they come from, and a value that cannot be printed by accident."""

from __future__ import annotations

import hmac
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from exporter.config.files import read_file
from exporter.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST_FILE = 64 * 1024  # bytes
_QUOTATION_MARKS = "\"'`\u2018\u2019\u201c\u201d"


class Secret:
    """A text that shows itself only to :meth:`reveal`.

    Printing and formatting give asterisks; pickling is refused; JSON encoders do not know the type.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __str__(self) -> str:
        return "**********"

    def __format__(self, _spec: str) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")


class Source(Protocol):
    """Where a credential stands. ``str(source)`` names the place, never the credential."""

    def read(self) -> str:
        """Return the credential as it stands there now.

        Raises :class:`ValueError` with the end of a sentence about the place: "is empty; …".
        """


@dataclass(frozen=True)
class Inline:
    """A credential that is written in the configuration."""

    text: str = field(repr=False)

    def read(self) -> str:
        """See :class:`Source`."""
        return clean(self.text)

    def __str__(self) -> str:
        return "the configuration"


@dataclass(frozen=True)
class FromEnvironment:
    """A credential in an environment variable."""

    variable: str
    environ: Mapping[str, str] = field(repr=False, compare=False)

    def read(self) -> str:
        """See :class:`Source`."""
        text = self.environ.get(self.variable)
        if text is None:
            raise ValueError("is not set; set it, or name another one")
        return clean(text)

    def __str__(self) -> str:
        return f"environment variable {self.variable}"


@dataclass(frozen=True)
class FromFile:
    """A credential in a file of its own."""

    path: Path

    def read(self) -> str:
        """See :class:`Source`."""
        try:
            data = read_file(self.path, limit=_LARGEST_FILE)
        except FileNotFoundError:
            complaint = "does not exist; a relative path starts at the configuration's folder"
        except PermissionError:
            complaint = "may not be read; let the user that the exporter runs as read it"
        except IsADirectoryError:
            complaint = "is a directory; name the file in it"
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            complaint = f"cannot be read: {getattr(error, 'strerror', None) or 'no usable path'}"
        else:
            return clean(_decode(data))
        raise ValueError(complaint)

    def is_exposed(self) -> bool:
        """Whether every user may read or change it, going by its own permissions."""
        try:
            return bool(self.path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
        except OSError:
            return False

    def __str__(self) -> str:
        return f"file {self.path}"


def _decode(data: bytes) -> str:
    if len(data) > _LARGEST_FILE:
        raise ValueError("is larger than 64 KiB; expected the value alone")
    text = data.decode("utf-8-sig", errors="replace")
    if "\N{REPLACEMENT CHARACTER}" in text:
        # Not the decoder's own error: that one carries the bytes.
        raise ValueError("is not text in UTF-8; expected the value alone")
    return text


def clean(text: str) -> str:
    """Return ``text`` without the white space around it.

    Raises :class:`ValueError` with the end of a sentence, without the value, if nothing remains or
    if it cannot be one credential.
    """
    text = text.strip()
    if not text:
        raise ValueError("is empty; expected the value")
    if " " in text or not text.isprintable():
        raise ValueError("has white space or control characters inside; expected the value alone")
    if text[0] in _QUOTATION_MARKS and text[-1] in _QUOTATION_MARKS:
        raise ValueError(
            "has quotation marks around it; remove them, because Docker's env files keep them"
        )
    return text


def check_key_id(text: str) -> str:
    """Return ``text`` if HTTP basic authentication can carry it as a user name (RFC 7617 §2)."""
    if ":" in text:
        raise ValueError("has a colon inside; expected the API key's id alone, without its secret")
    return text


@dataclass(frozen=True)
class Credentials:
    """An API key and its secret, by the places that they are read from."""

    api_key: Source
    api_secret: Source

    def exposed_file(self) -> Path | None:
        """Return the file of the secret if every user may read or change it."""
        source = self.api_secret
        return source.path if isinstance(source, FromFile) and source.is_exposed() else None

    def read(self) -> tuple[str, Secret]:
        """Return the key's id and its secret as they stand now, so that they may be rotated.

        Raises :class:`~exporter.errors.CredentialsError`, which names the place and the remedy.
        """
        try:
            api_key = check_key_id(self.api_key.read())
        except ValueError as error:
            raise CredentialsError(f"the API key: {self.api_key} {error}") from None
        try:
            return api_key, Secret(self.api_secret.read())
        except ValueError as error:
            raise CredentialsError(f"the API secret: {self.api_secret} {error}") from None
