"""The sources of credentials, and a secret that cannot be printed by accident."""

from __future__ import annotations

import hmac
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from exporter.config.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST_FILE = 64 * 1024  # bytes
_QUOTATION_MARKS = "\"'`\u2018\u2019\u201c\u201d"


class Secret:
    """A string that only :meth:`reveal` returns.

    Printing and formatting give asterisks. It cannot be pickled or encoded as JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret string."""
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
        raise TypeError("secrets cannot be pickled")


class Source(Protocol):
    """Where a credential is stored. ``str(source)`` names the location, never the credential."""

    def read(self) -> str:
        """Return the current credential.

        Raises :class:`ValueError` with the predicate of a message: "is empty; …".
        """


@dataclass(frozen=True)
class Inline:
    """A credential in the configuration itself."""

    text: str = field(repr=False)

    def read(self) -> str:
        """See :class:`Source`."""
        return clean(self.text)

    def __str__(self) -> str:
        return "the value in the configuration"


@dataclass(frozen=True)
class FromEnvironment:
    """A credential in an environment variable."""

    variable: str
    environ: Mapping[str, str] = field(repr=False, compare=False)

    def read(self) -> str:
        """See :class:`Source`."""
        text = self.environ.get(self.variable)
        if text is None:
            raise ValueError("is not set; set it, or use another variable")
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
            problem = "does not exist; relative paths start at the folder of the configuration"
        except PermissionError:
            problem = "is not readable; make it readable for the user that runs the exporter"
        except IsADirectoryError:
            problem = "is a directory; expected a file"
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            problem = f"cannot be read: {getattr(error, 'strerror', None) or 'not a valid path'}"
        else:
            return clean(_decode(data))
        raise ValueError(problem)

    def is_exposed(self) -> bool:
        """Whether the mode of the file lets every user read or change it."""
        try:
            return bool(self.path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
        except OSError:
            return False

    def __str__(self) -> str:
        return f"file {self.path}"


def _decode(data: bytes) -> str:
    if len(data) > _LARGEST_FILE:
        raise ValueError("is larger than 64 KiB; expected only the value")
    text = data.decode("utf-8-sig", errors="replace")
    if "\N{REPLACEMENT CHARACTER}" in text:
        # Not the UnicodeDecodeError, which contains the bytes.
        raise ValueError("is not valid UTF-8; expected only the value")
    return text


def clean(text: str) -> str:
    """Return ``text`` without leading and trailing white space.

    Raises :class:`ValueError` if the result cannot be a credential, with the predicate of a message
    that does not quote it.
    """
    text = text.strip()
    if not text:
        raise ValueError("is empty; expected the value")
    if " " in text or not text.isprintable():
        raise ValueError("contains white space or control characters; expected only the value")
    if text[0] in _QUOTATION_MARKS and text[-1] in _QUOTATION_MARKS:
        raise ValueError(
            "has quotation marks around the value; remove them (in a Docker env file they become"
            " part of the value)"
        )
    return text


def check_key_id(text: str) -> str:
    """Return ``text`` if it is a valid user name in HTTP basic authentication (RFC 7617 §2)."""
    if ":" in text:
        raise ValueError(
            "contains a colon; expected only the id of the API key, without the secret"
        )
    return text


def check_jwt(text: str) -> str:
    """Return ``text`` if it can be a JWT in the compact serialization of JWS (RFC 7515 §3.1)."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", text):
        raise ValueError("is not a JWT; expected three parts of base64url with dots between them")
    return text
