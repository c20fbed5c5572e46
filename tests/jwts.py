"""JSON Web Tokens for tests, whose signatures nobody checks."""

from __future__ import annotations

import base64
import json
from typing import Any


def jwt(claims: object) -> str:
    """Return a token with ``claims``, and ``signature`` as its signature."""
    return f"{part({'alg': 'RS256'})}.{part(claims)}.{to_base64(b'signature')}"


def part(content: object) -> str:
    """Return a header or claims as a part of a token."""
    return to_base64(json.dumps(content).encode())


def content_of(part: str) -> dict[str, Any]:
    """Return the header or the claims in a part of a token."""
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def to_base64(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
