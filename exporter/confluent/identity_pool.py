"""The credentials of an identity pool, which the STS exchanges for tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from exporter import redaction
from exporter.confluent.credentials import ANONYMOUS, Credentials, TokenStatus
from exporter.confluent.endpoints import STS
from exporter.confluent.pacing import locked
from exporter.confluent.request import FORM, Authorization, Request
from exporter.confluent.tokens import describe_claims, parse_token
from exporter.errors import BadRequest, Forbidden, InvalidResponse, TokenRefused, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.clock import Clock
    from exporter.config import PoolCredentials, Secret
    from exporter.confluent.connection import Answer
    from exporter.confluent.host import Host
    from exporter.confluent.identity_provider import SubjectTokens
    from exporter.confluent.request import Budget
    from exporter.confluent.tokens import Token

_EXCHANGE = Request(STS, method="POST")
_DEFAULT_LIFETIME = 900.0
"""Seconds, for an answer without ``expires_in``; docs/confluent-cloud-api.md#bearer-tokens."""
_REFUSED = (
    "the STS does not accept the identity provider's token for the identity pool. Compare the"
    " token with the issuer of the identity provider and with the filter of the pool"
)


@dataclass(frozen=True)
class _PoolToken:
    """A token of the pool and the authorization with it."""

    token: Token
    authorization: Authorization
    expires: float
    """Unix seconds."""


class IdentityPoolCredentials(Credentials):
    """The credentials of the identity pool in ``settings``, which also authenticate requests.

    ``sts``: the host with the STS. ``subject``: the tokens of the identity provider. All refreshes
    of the organization use the same token until shortly before it expires.
    """

    def __init__(
        self, settings: PoolCredentials, *, sts: Host, subject: SubjectTokens, clock: Clock
    ) -> None:
        self._settings = settings
        self._sts = sts
        self._subject = subject
        self._clock = clock
        self._causes = _causes(settings.identity_pool)
        self._lock = asyncio.Lock()
        self._current: _PoolToken | None = None
        self._expires: float | None = None

    def read(self) -> IdentityPoolCredentials:
        """See :class:`~exporter.confluent.credentials.Credentials`. Reads no file yet."""
        return self

    async def authorize(self, budget: Budget) -> Authorization:
        """See :class:`~exporter.confluent.request.Authentication`."""
        # One exchange at a time, whose token all waiting requests use.
        async with locked(self._lock, _EXCHANGE, budget, clock=self._clock):
            current = self._current
            if current is None or self._clock.monotonic() >= current.token.renew_at:
                self._current = current = await self._new_token(budget)
                self._expires = current.expires
            return current.authorization

    def refused(self, authorization: Authorization) -> bool:
        """See :class:`~exporter.confluent.request.Authentication`."""
        if self._current is not None and self._current.authorization is authorization:
            self._current = self._expires = None
        return True

    async def _new_token(self, budget: Budget) -> _PoolToken:
        while True:
            subject = await self._subject.get(budget)
            try:
                return await self._exchange(subject, budget)
            except (BadRequest, Unauthorized, Forbidden) as error:
                if self._subject.refused():
                    continue
                claims = describe_claims(subject.reveal(), wall=self._clock.wall())
                raise TokenRefused(
                    f"{str(error).rstrip('.')}. {claims}", request_id=error.request_id
                ) from None

    async def _exchange(self, subject: Secret, budget: Budget) -> _PoolToken:
        pool = self._settings.identity_pool
        request = replace(
            _EXCHANGE,
            body=urlencode(
                {
                    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                    "subject_token": subject.reveal(),
                    "identity_pool_id": pool,
                    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
                }
            ).encode(),
            content_type=FORM,
            follow_redirects=False,
            causes=dict.fromkeys((400, 401, 403), _REFUSED),
        )
        try:
            with budget.lent(ANONYMOUS) as lent:
                answer = await self._sts.send(request, lent)
                with self._sts.counting_failures(request, lent, answer):
                    token = self._parse(answer)
        finally:
            await self._sts.aclose()  # idle for minutes
        known = (subject.reveal(), token.secret.reveal())  # to the API and its STS
        headers = MappingProxyType({"Authorization": f"Bearer {token.secret.reveal()}"})
        return _PoolToken(
            token,
            Authorization(
                headers,
                tuple(map(redaction.register_token, known)),
                self._causes,
                token.expires,
            ),
            expires=self._clock.wall() + token.expires - self._clock.monotonic(),
        )

    def _parse(self, answer: Answer) -> Token:
        try:
            token = parse_token(
                answer.body,
                requested_at=answer.requested_at,
                default_lifetime=_DEFAULT_LIFETIME,
                bearer=True,
            )
        except ValueError as error:
            raise InvalidResponse(f"{error}. Check `url`", endpoint=STS) from None
        if token.expires <= self._clock.monotonic():
            raise InvalidResponse(
                "the token expired before the answer arrived. Check why the STS or the network is"
                " slow",
                endpoint=STS,
            )
        return token

    @property
    def token_status(self) -> TokenStatus:
        """See :class:`~exporter.confluent.credentials.Credentials`."""
        return TokenStatus(self._settings.identity_pool, self._expires)

    def resume(self, previous: Credentials) -> None:
        """See :class:`~exporter.confluent.credentials.Credentials`."""
        if isinstance(previous, IdentityPoolCredentials):
            self._resume(previous)

    def _resume(self, previous: IdentityPoolCredentials) -> None:
        if previous._settings == self._settings:
            self._current, self._expires = previous._current, previous._expires
            self._subject.resume(previous._subject)

    async def aclose(self) -> None:
        """See :class:`~exporter.confluent.credentials.Credentials`."""
        await self._sts.aclose()
        await self._subject.aclose()


def _causes(pool: str) -> Mapping[int, str]:
    return MappingProxyType(
        {
            401: f"the token of the identity pool {pool} is not accepted, although the STS has just"
            " issued it. Check that the pool is enabled and belongs to this organization",
            403: f"the identity pool {pool} has no role that allows listing API keys. Grant"
            f" OrganizationAdmin to the principal `User:{pool}`; a narrower role may hide keys",
        }
    )
