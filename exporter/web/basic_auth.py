"""The credentials of a request: the header ``Authorization: Basic`` (RFC 7617)."""

from __future__ import annotations

from binascii import a2b_base64
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_PASSWORD = 72  # bytes; bcrypt ignores what follows, or rejects it
CHALLENGE = (b"www-authenticate", b'Basic realm="confluent-api-keys-exporter", charset="UTF-8"')


class Credentials(NamedTuple):
    """A user name and the password as the client sent it."""

    user: str
    password: bytes

    def __repr__(self) -> str:
        return "Credentials(...)"


def parse_authorization(values: Iterable[bytes]) -> Credentials | None:
    """Return the credentials in the ``Authorization`` headers of a request.

    Returns None if there is not exactly one header, if it is malformed, or if no password can be
    right. That depends only on the request, so a quick refusal does not tell whether a user exists.
    """
    try:
        (value,) = values
        scheme, _, encoded = value.partition(b" ")
        text = a2b_base64(encoded, strict_mode=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError are also ValueErrors
        return None
    user, colon, password = text.partition(":")
    # bcrypt repeats a password with a NUL at its end, so "abc\0abc" would match the hash of "abc".
    if scheme.lower() != b"basic" or not colon or not password or "\0" in text:
        return None
    encoded_password = password.encode()
    return Credentials(user, encoded_password) if len(encoded_password) <= _MAX_PASSWORD else None
