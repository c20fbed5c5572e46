"""How requests are authenticated."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from exporter import redaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config import ApiKeyCredentials


@dataclass(frozen=True)
class Authorization:
    """What authenticates one request."""

    headers: Mapping[str, str] = field(repr=False)
    redactor: redaction.Redactor = field(repr=False)
    """Removes the secret in ``headers`` from an answer that repeats it."""


class Authentication(Protocol):
    """Authenticates the requests of one refresh, so that all of them act for one principal."""

    async def authorize(self) -> Authorization:
        """Return the authorization of the next request.

        Raises :class:`~exporter.errors.ApiError` and
        :class:`~exporter.errors.CredentialsError`.
        """

    def refused(self) -> bool:
        """Handle a 401; return whether another authorization is worth one more attempt."""


@dataclass(frozen=True)
class TokenStatus:
    """The latest token of an identity pool."""

    identity_pool: str
    """The id of the pool."""
    expires: float | None
    """Unix seconds; None before the first token."""


class Credentials(Protocol):
    """The credentials for one host.

    Implementations register each secret with :mod:`exporter.redaction` before they return it, and
    never show it in ``repr``.
    """

    def read(self) -> Authentication:
        """Read the secrets, which may have been rotated, for one refresh. Blocks.

        Runs in a worker thread. Raises :class:`~exporter.errors.CredentialsError`.
        """


@dataclass(frozen=True)
class FixedAuthentication:
    """The same authorization for every request."""

    authorization: Authorization

    async def authorize(self) -> Authorization:
        """See :class:`Authentication`."""
        return self.authorization

    def refused(self) -> bool:
        """Return False: there is no other authorization."""
        return False


class BasicCredentials:
    """An API key and its secret, for HTTP basic authentication."""

    def __init__(self, source: ApiKeyCredentials) -> None:
        self._source = source

    def read(self) -> FixedAuthentication:
        """See :class:`Credentials`."""
        api_key, secret = self._source.read()
        text = secret.reveal()
        redactor = redaction.register(text, user=api_key)
        token = b64encode(f"{api_key}:{text}".encode()).decode()
        headers = MappingProxyType({"Authorization": f"Basic {token}"})
        return FixedAuthentication(Authorization(headers, redactor))
