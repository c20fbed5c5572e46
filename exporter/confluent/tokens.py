"""OAuth tokens: the answer of a token endpoint, the lifetime of a token, and the claims in it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from exporter import redaction
from exporter.config import Secret
from exporter.escaping import one_line

_RENEWAL_MARGIN = 60.0
"""Seconds before its expiry at which a token is renewed, at most half of its lifetime."""
_MAX_LIFETIME = 86_400.0
"""Seconds. A longer-lived token is renewed once a day, which costs nothing."""
_MAX_TOKEN_LENGTH = 16 * 1024  # characters; it has to fit into a header
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 §2.1."""
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MAX_CLAIM_LENGTH = 120  # characters, in a message


class _Answer(msgspec.Struct, gc=False):
    """The answer of a token endpoint (RFC 6749 §5.1)."""

    access_token: str
    token_type: str | None = None
    expires_in: object = None


@dataclass(frozen=True)
class Token:
    """A token. Times are monotonic seconds."""

    secret: Secret
    renew_at: float
    """From then on, a new token is requested before the next use."""
    expires: float
    """From then on, it must not be sent."""


def parse_token(
    body: bytes, *, requested_at: float, default_lifetime: float, bearer: bool = False
) -> Token:
    """Return the token in the answer of a token endpoint.

    ``requested_at``: when the request was sent, in monotonic seconds. The lifetime counts from
    then, because the answer does not contain the time of issue. ``default_lifetime``: seconds, for
    an answer without a usable ``expires_in``; 0 for a token that is used once. ``bearer``: whether
    it must be a bearer token. Raises ``ValueError`` with a message that does not quote the answer.
    """
    try:
        answer = _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError(f"the answer has no usable access_token ({_problem(error)})") from None
    text = answer.access_token
    if len(text) > _MAX_TOKEN_LENGTH or not _TOKEN.fullmatch(text):
        raise ValueError(
            "the access_token in the answer is empty, too long or has characters that a header"
            " must not have"
        )
    redaction.register_token(text)
    if bearer and (answer.token_type or "").lower() != "bearer":
        raise ValueError("the token_type in the answer is not Bearer")
    lifetime = _seconds(answer.expires_in)
    if lifetime is not None and lifetime <= 0:
        raise ValueError("the token has already expired: expires_in in the answer is not positive")
    lifetime = min(default_lifetime if lifetime is None else lifetime, _MAX_LIFETIME)
    return Token(
        Secret(text),
        renew_at=requested_at + lifetime - min(_RENEWAL_MARGIN, lifetime / 2),
        expires=requested_at + lifetime,
    )


_DECODER = msgspec.json.Decoder(_Answer)


def _problem(error: Exception) -> str:
    """Return the problem with the answer. msgspec names types and paths, never values."""
    is_named = isinstance(error, msgspec.MsgspecError)
    return one_line(str(error), _MAX_CLAIM_LENGTH) if is_named else "it is not valid JSON"


def _seconds(value: object) -> float | None:
    """Return ``expires_in``, which some providers send as text; None where it is unusable."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(max(-1, min(value, _MAX_LIFETIME)))  # an integer may be too large for a float
    return None


def describe_claims(token: str, *, wall: float) -> str:
    """Return the claims of a JWT that identity pools compare, for the message about a refusal.

    ``wall``: the current Unix time, to recognize an expired token. The signature is not verified,
    so no decision may depend on the claims.
    """
    claims = _claims(token)
    if claims is None:
        return "The token is not a JWT"
    shown = [
        f"{name} `{one_line(_as_text(claims[name]), _MAX_CLAIM_LENGTH)}`"
        for name in ("iss", "aud", "sub")
        if name in claims
    ]
    text = f"The token has {', '.join(shown)}" if shown else "The token has no iss, aud or sub"
    expires, begins = _time(claims.get("exp")), _time(claims.get("nbf"))
    if expires is not None and expires.timestamp() <= wall:
        text += (
            f". It expired at {expires:{_TIME}}: check what renews it, and the clock of this"
            " machine"
        )
    elif begins is not None and begins.timestamp() > wall:
        text += (
            f". It is not valid before {begins:{_TIME}}: check the clocks of the identity provider"
            " and of this machine"
        )
    return text


def _time(claim: object) -> datetime | None:
    """Return the time in a claim; None where it is not a number or out of range."""
    if not isinstance(claim, int | float) or isinstance(claim, bool) or claim <= 0:
        return None
    try:
        return datetime.fromtimestamp(claim, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _claims(token: str) -> dict[str, object] | None:
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 # header, claims, signature
        return None
    try:
        data = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(data, type=dict[str, object])
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _as_text(claim: object) -> str:
    """Return a claim as text; ``aud`` may be a list."""
    return claim if isinstance(claim, str) else msgspec.json.encode(claim).decode()
