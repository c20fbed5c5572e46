"""How requests are authenticated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from exporter import redaction
from exporter.config import Secret
from exporter.confluent.request import Authorization

if TYPE_CHECKING:
    from exporter.config import ApiKeyCredentials
    from exporter.confluent.request import Authentication, Budget

_CAUSES = MappingProxyType(
    {
        401: "the API key or its secret is not accepted. Check that the secret belongs to this key,"
        " that the key still exists, and that it is a Cloud API key (Cloud resource management),"
        " not a cluster key. A new key takes a few seconds to become valid",
        403: "the API key is valid, but its owner has no role that allows listing API keys. Grant"
        " OrganizationAdmin to its service account; a narrower role may hide keys",
    }
)


@dataclass(frozen=True)
class TokenStatus:
    """The latest token of an identity pool."""

    identity_pool: str
    """The id of the pool."""
    expires: float | None
    """Unix seconds; None before the first token."""


class Credentials(ABC):
    """The credentials for one host.

    Implementations register each secret with :mod:`exporter.redaction` before they return it, and
    never show it in ``repr``.
    """

    @abstractmethod
    def read(self) -> Authentication:
        """Read the secrets, which may have been rotated, for one refresh. Blocks.

        Runs in a worker thread. Raises :class:`~exporter.errors.CredentialsError`.
        """

    @property
    def token_status(self) -> TokenStatus | None:
        """The latest token; None if the credentials are not exchanged for tokens."""
        return None

    @property
    def api_key_id(self) -> str | None:
        """The id of the API key that was read last; None before, and for other credentials."""
        return None

    def resume(self, previous: Credentials) -> None:
        """Continue with the tokens or key id of ``previous`` if it has the same settings."""
        del previous

    async def aclose(self) -> None:
        """Close the connections to token endpoints."""
        return


@dataclass(frozen=True)
class FixedAuthentication:
    """The same authorization for every request."""

    authorization: Authorization

    async def authorize(self, budget: Budget) -> Authorization:
        """See :class:`~exporter.confluent.request.Authentication`."""
        del budget
        return self.authorization

    def refused(self, authorization: Authorization) -> bool:
        """Return False: there is no other authorization."""
        del authorization
        return False


ANONYMOUS = FixedAuthentication(Authorization(MappingProxyType({})))
"""For requests whose body holds the credentials."""


class NoCredentials(Credentials):
    """For hosts that only get requests whose body holds the credentials."""

    def read(self) -> FixedAuthentication:
        """See :class:`Credentials`."""
        return ANONYMOUS


class BasicCredentials(Credentials):
    """An API key and its secret, for HTTP basic authentication."""

    def __init__(self, source: ApiKeyCredentials) -> None:
        self._source = source
        self._api_key: Secret | None = None  # not a secret, but half of the credentials

    @property
    def api_key_id(self) -> str | None:
        """See :class:`Credentials`."""
        return None if self._api_key is None else self._api_key.reveal()

    def resume(self, previous: Credentials) -> None:
        """See :class:`Credentials`."""
        if isinstance(previous, BasicCredentials):
            self._resume(previous)

    def _resume(self, previous: BasicCredentials) -> None:
        if previous._source == self._source:
            self._api_key = previous._api_key

    def read(self) -> FixedAuthentication:
        """See :class:`Credentials`."""
        api_key, secret = self._source.read()
        text = secret.reveal()
        redactor = redaction.register(text, user=api_key)
        token = b64encode(f"{api_key}:{text}".encode()).decode()
        headers = MappingProxyType({"Authorization": f"Basic {token}"})
        self._api_key = Secret(api_key)
        return FixedAuthentication(Authorization(headers, (redactor,), _CAUSES))
