"""Identity providers: they issue the tokens that the STS exchanges."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import msgspec

from exporter.simulator import jwt
from exporter.simulator.faults import token_fields
from exporter.simulator.responses import json_response

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from exporter.clock import Clock
    from exporter.simulator.flags import Fault
    from exporter.simulator.responses import Error, Response

_CODES = {401: "invalid_client", 403: "access_denied", 405: "invalid_request"}


class IdentityProvider:
    """An issuer of tokens that are signed with a key of its own.

    ``clients``: the secrets by client id, which may be changed while in use, as ``lifetime``, in
    seconds, may. Tokens for clients have the client id as subject, and ``audience``. ``scopes``:
    those that clients may ask for; None for any.
    """

    def __init__(
        self,
        *,
        issuer: str,
        clock: Clock,
        clients: Mapping[str, str] | None = None,
        lifetime: int = 3600,
        audience: str = "confluent-cloud",
        scopes: Collection[str] | None = None,
    ) -> None:
        self.issuer = issuer
        self.clients = dict(clients or {})
        self.lifetime = lifetime
        self.audience = audience
        self.scopes = None if scopes is None else frozenset(scopes)
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def token(
        self, *, subject: str, audience: str | None = None, lifetime: int | None = None
    ) -> str:
        """Return a new token, such as for a token file.

        ``audience`` and ``lifetime``: by default those of the provider.
        """
        issued_at = int(self._clock.wall())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": self.audience if audience is None else audience,
            "iat": issued_at,
            "exp": issued_at + (self.lifetime if lifetime is None else lifetime),
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._key)

    def has_signed(self, token: str) -> bool:
        """Return whether ``token`` has a signature of this provider."""
        return jwt.is_signed(token, self._key)


class ClientCredentialsEndpoint:
    """The token endpoint of all providers, which their clients' ids tell apart (RFC 6749 §4.4).

    Raises ``ValueError`` if two of them have the same client.
    """

    def __init__(self, providers: Iterable[IdentityProvider]) -> None:
        self._providers = tuple(providers)
        ids = [client for provider in self._providers for client in provider.clients]
        if len(ids) > len(set(ids)):
            raise ValueError("two identity providers have a client with the same id")

    def respond(
        self, form: Mapping[str, str], authorization: str | None, *, faults: Iterable[Fault]
    ) -> Response:
        """Return a token for the client in ``form`` or in HTTP basic ``authorization``."""
        faults = list(faults)
        if any(fault.name == "refused" for fault in faults):
            return _refusal("unauthorized_client", "The client is not allowed to get tokens.")
        if "grant_type" not in form:
            return _refusal("invalid_request", "The field grant_type is missing.")
        if form["grant_type"] != "client_credentials":
            return _refusal("unsupported_grant_type", "Only client_credentials is supported.")
        basic = _basic_credentials(authorization)
        if basic is not None and "client_secret" in form:
            return _refusal("invalid_request", "The client authenticates in two ways.")
        client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        provider = self._authenticate(client_id, secret)
        if provider is None:
            response = _refusal("invalid_client", "The client or its secret is wrong.", status=401)
            if basic is not None:
                response.headers["WWW-Authenticate"] = 'Basic realm="identity provider"'
            return response
        if provider.scopes is not None and not provider.scopes >= {*form.get("scope", "").split()}:
            return _refusal("invalid_scope", "The client may not ask for this scope.")
        fields = {
            "access_token": provider.token(subject=client_id),
            "token_type": "Bearer",
            "expires_in": provider.lifetime,
        }
        response = json_response(msgspec.json.encode(token_fields(fields, faults)))
        response.headers["Cache-Control"] = "no-store"
        return response

    def _authenticate(self, client_id: str, secret: str) -> IdentityProvider | None:
        for provider in self._providers:
            expected = provider.clients.get(client_id)
            if expected and hmac.compare_digest(expected.encode(), secret.encode()):
                return provider
        return None


def oauth_error(error: Error, request_id: str, *, detail: str = "") -> Response:
    """Return ``error`` in the form of RFC 6749 §5.2."""
    del request_id  # it is only in the header
    code = _CODES.get(error.status, "server_error" if error.status >= 500 else "invalid_request")  # noqa: PLR2004 # server errors
    response = _refusal(code, detail or error.detail, status=error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _refusal(code: str, description: str, *, status: int = 400) -> Response:
    body = msgspec.json.encode({"error": code, "error_description": description})
    return json_response(body, status=status)


def _basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """Return the id and secret in an ``Authorization`` header; None without basic authentication.

    Both are form-encoded (RFC 6749 §2.3.1).
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)
