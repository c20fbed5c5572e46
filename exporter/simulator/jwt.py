"""JSON web tokens signed with HS256 (RFC 7519, RFC 7515)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
_ALGORITHM = "HS256"


class _Header(msgspec.Struct):
    alg: str


class Claims(msgspec.Struct):
    """The claims that the STS reads. A missing text is empty, a missing ``exp`` is None."""

    iss: str = ""
    sub: str = ""
    aud: str | list[str] = ""
    exp: float | None = None

    def has_audience(self, audience: str) -> bool:
        """Return whether ``audience`` is the audience, or one of them."""
        return audience in ([self.aud] if isinstance(self.aud, str) else self.aud)


class InvalidToken(ValueError):
    """A string that is not a token, or not one of ours. The text never quotes it."""


def encode(claims: Mapping[str, object], key: bytes) -> str:
    """Return a token with ``claims`` that is signed with ``key``."""
    header = {"alg": _ALGORITHM, "typ": "JWT"}
    signed = f"{_to_base64(msgspec.json.encode(header))}.{_to_base64(msgspec.json.encode(claims))}"
    return f"{signed}.{_to_base64(_signature(signed, key))}"


def decode(token: str) -> Claims:
    """Return the claims of ``token``, whose signature is not checked.

    Raises :class:`InvalidToken`.
    """
    try:
        header, claims, _ = token.split(".")
    except ValueError:
        raise InvalidToken("The token is not a JSON web token.") from None
    if _from_json(header, _Header, "header").alg != _ALGORITHM:
        raise InvalidToken(f"The algorithm of the token is not {_ALGORITHM}.")
    return _from_json(claims, Claims, "claims")


def is_signed(token: str, key: bytes) -> bool:
    """Return whether ``token`` is signed with ``key``."""
    signed, _, signature = token.rpartition(".")
    try:
        return hmac.compare_digest(_from_base64(signature), _signature(signed, key))
    except ValueError:
        return False


def _signature(signed: str, key: bytes) -> bytes:
    return hmac.digest(key, signed.encode(), hashlib.sha256)


def _from_json(encoded: str, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(_from_base64(encoded), type=kind)
    except (ValueError, RecursionError):
        raise InvalidToken(f"The {name} of the token cannot be read.") from None


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    """Raises ``ValueError``."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
