"""The kinds of credentials of an organization, and their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from exporter.config.secrets import FromFile, Secret, check_jwt, check_key_id
from exporter.errors import CredentialsError, TokenUnreadable

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.secrets import Source


@dataclass(frozen=True)
class ApiKeyCredentials:
    """The sources of an API key's id and secret, for HTTP basic authentication."""

    api_key: Source
    api_secret: Source

    def exposed_file(self) -> Path | None:
        """Return the file of the secret if every user can read or change it."""
        return _exposed_file(self.api_secret)

    def read(self) -> tuple[str, Secret]:
        """Return the current id and secret of the API key, which may have been rotated. Blocks.

        Raises :class:`~exporter.errors.CredentialsError` with the source and the remedy.
        """
        try:
            api_key = check_key_id(self.api_key.read())
        except ValueError as error:
            raise CredentialsError(f"the API key: {self.api_key} {error}") from None
        try:
            return api_key, Secret(self.api_secret.read())
        except ValueError as error:
            raise CredentialsError(f"the API secret: {self.api_secret} {error}") from None


@dataclass(frozen=True)
class TokenFile:
    """A file with a token of an identity provider, which something else renews."""

    source: Source

    def read(self) -> Secret:
        """Return the current token. Blocks.

        Raises :class:`~exporter.errors.TokenUnreadable` with the source and the remedy.
        """
        try:
            return Secret(check_jwt(self.source.read()))
        except ValueError as error:
            raise TokenUnreadable(f"the token: {self.source} {error}") from None


@dataclass(frozen=True)
class OAuthClient:
    """A client of an identity provider that gets tokens by the client credentials grant."""

    token_url: str
    client_id: str
    client_secret: Source
    scope: str | None = None

    def read(self) -> Secret:
        """Return the current secret of the client, which may have been rotated. Blocks.

        Raises :class:`~exporter.errors.CredentialsError` with the source and the remedy.
        """
        try:
            return Secret(self.client_secret.read())
        except ValueError as error:
            raise CredentialsError(f"the client secret: {self.client_secret} {error}") from None


@dataclass(frozen=True)
class PoolCredentials:
    """An identity pool, for which the STS exchanges tokens of an identity provider."""

    identity_pool: str
    subject_token: TokenFile | OAuthClient
    """Where the token of the identity provider comes from."""

    def exposed_file(self) -> Path | None:
        """Return the file of the token or client secret if every user can read or change it."""
        subject = self.subject_token
        source = subject.source if isinstance(subject, TokenFile) else subject.client_secret
        return _exposed_file(source)


Credentials: TypeAlias = ApiKeyCredentials | PoolCredentials


def _exposed_file(source: Source) -> Path | None:
    return source.path if isinstance(source, FromFile) and source.is_exposed() else None
