"""The security token service (``docs/confluent-cloud-api.md#bearer-tokens``)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.simulator import jwt
from exporter.simulator.faults import token_fields
from exporter.simulator.responses import INVALID_FORM, error_response, json_response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.clock import Clock
    from exporter.simulator.accounts import Account
    from exporter.simulator.flags import Fault
    from exporter.simulator.identity_provider import IdentityProvider
    from exporter.simulator.responses import Response

MAX_LIFETIME = 900
"""The maximum lifetime of a bearer token, in seconds."""
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 # a type
_CONSTANTS = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "requested_token_type": _ACCESS_TOKEN,
}
_REQUIRED = ("grant_type", "subject_token", "identity_pool_id", *list(_CONSTANTS)[1:])
_MAX_TOKENS = 10_000


@dataclass
class IdentityPool:
    """An identity pool, which acts with the rights of ``account``.

    It accepts tokens of ``issuer`` that pass its filter: their subject and audience, None for any.
    It may be changed while in use.
    """

    id: str
    account: Account
    issuer: str
    subject: str | None = None
    audience: str | None = None


class InvalidExchange(ValueError):
    """An exchange is refused; the text says why, without quoting the token."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class SecurityTokenService:
    """Exchanges tokens of identity providers for bearer tokens, which it also recognizes.

    A bearer token expires by the monotonic clock. The claim ``exp`` of a subject token is compared
    with the wall clock. At most the latest 10,000 bearer tokens are valid.

    Raises ``ValueError`` if two pools have the same id, if two providers have the same issuer, or
    if no provider is the issuer of a pool.
    """

    def __init__(
        self,
        pools: Iterable[IdentityPool],
        providers: Iterable[IdentityProvider],
        *,
        clock: Clock,
    ) -> None:
        self._pools: dict[str, IdentityPool] = {}
        self._providers: dict[str, IdentityProvider] = {}
        for provider in providers:
            if self._providers.setdefault(provider.issuer, provider) is not provider:
                raise ValueError(f"two identity providers have the issuer {provider.issuer}")
        for pool in pools:
            if self._pools.setdefault(pool.id, pool) is not pool:
                raise ValueError(f"two identity pools have the id {pool.id}")
            if pool.issuer not in self._providers:
                raise ValueError(f"no identity provider is the issuer {pool.issuer} of {pool.id}")
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._tokens: dict[str, tuple[str, float]] = {}
        """The pool and the monotonic expiry of each bearer token, in the order of their issue."""

    def pool(self, form: Mapping[str, str]) -> IdentityPool | None:
        """Return the pool that ``form`` names, if it exists."""
        return self._pools.get(form.get("identity_pool_id", ""))

    def respond(
        self, form: Mapping[str, str], request_id: str, *, faults: Iterable[Fault], lifetime: int
    ) -> Response:
        """Return a bearer token for the token in ``form``, or a 400 that says what is wrong.

        ``lifetime``: of the bearer token in seconds, unless ``form`` asks for less.
        """
        faults = list(faults)
        try:
            pool = self._check(form, refused=any(fault.name == "refused" for fault in faults))
            lifetime = min(lifetime, _expires_in(form))
        except InvalidExchange as error:
            return error_response(
                INVALID_FORM, request_id, detail=str(error), parameter=error.field
            )
        fields = {
            "access_token": self._issue(pool, lifetime),
            "issued_token_type": _ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": lifetime,
        }
        response = json_response(msgspec.json.encode(token_fields(fields, faults)))
        response.headers["Cache-Control"] = "no-store"
        return response

    def authenticate(self, token: str) -> IdentityPool | None:
        """Return the pool of a bearer token, if the token is valid now."""
        pool_id, expires = self._tokens.get(token, ("", 0.0))
        return self._pools.get(pool_id) if self._clock.monotonic() < expires else None

    def revoke(self, token: str) -> None:
        """Make a bearer token invalid."""
        self._tokens.pop(token, None)

    def revoke_all(self, pool_id: str) -> None:
        """Make all current bearer tokens of a pool invalid."""
        self._tokens = {
            token: issued for token, issued in self._tokens.items() if issued[0] != pool_id
        }

    def _check(self, form: Mapping[str, str], *, refused: bool) -> IdentityPool:
        """Return the pool. Raises :class:`InvalidExchange`."""
        for field in _REQUIRED:
            if field not in form:
                raise InvalidExchange(field, f"The field {field} is missing.")
        for field, expected in _CONSTANTS.items():
            if form[field] != expected:
                raise InvalidExchange(field, f"The field {field} is not {expected}.")
        pool = self.pool(form)
        if pool is None:
            raise InvalidExchange("identity_pool_id", "There is no identity pool with this id.")
        try:
            if refused:
                raise jwt.InvalidToken("The token is refused.")  # noqa: TRY301 # as any other
            self._check_token(form["subject_token"], pool)
        except jwt.InvalidToken as error:
            raise InvalidExchange("subject_token", str(error)) from None
        return pool

    def _check_token(self, token: str, pool: IdentityPool) -> None:
        """Raises :class:`~exporter.simulator.jwt.InvalidToken`."""
        claims = jwt.decode(token)
        if claims.iss != pool.issuer:
            raise jwt.InvalidToken(f"The issuer of the token is not that of {pool.id}.")
        if not self._providers[pool.issuer].has_signed(token):
            raise jwt.InvalidToken("The signature of the token is not valid.")
        if claims.exp is None:
            raise jwt.InvalidToken("The token has no claim exp.")
        if claims.exp <= self._clock.wall():
            raise jwt.InvalidToken("The token has expired.")
        if pool.subject not in {None, claims.sub}:
            raise jwt.InvalidToken(f"The subject of the token does not match {pool.id}.")
        if pool.audience is not None and not claims.has_audience(pool.audience):
            raise jwt.InvalidToken(f"The audience of the token does not match {pool.id}.")

    def _issue(self, pool: IdentityPool, lifetime: int) -> str:
        now = self._clock.monotonic()
        while self._tokens:
            oldest = next(iter(self._tokens))
            if len(self._tokens) < _MAX_TOKENS and now < self._tokens[oldest][1]:
                break
            del self._tokens[oldest]
        token = jwt.encode({"sub": pool.id, "jti": secrets.token_hex(8)}, self._key)
        self._tokens[token] = pool.id, now + lifetime
        return token


def _expires_in(form: Mapping[str, str]) -> int:
    """Return the lifetime in seconds that ``form`` asks for. Raises :class:`InvalidExchange`."""
    text = form.get("expires_in", str(MAX_LIFETIME))
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 # longer than any valid number
    if not 1 <= seconds <= MAX_LIFETIME:
        raise InvalidExchange("expires_in", f"The field expires_in is not 1 to {MAX_LIFETIME}.")
    return seconds
