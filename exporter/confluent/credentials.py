"""How requests are authenticated."""

from __future__ import annotations

from base64 import b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from exporter import redaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config import Credentials as ApiKeySource


class Credentials(Protocol):
    """Authenticates the requests to one host.

    Implementations register each secret with :mod:`exporter.redaction` before they return it, and
    never show it in ``repr``.
    """

    def read(self) -> None:
        """Read the secrets again, so that they can be rotated. Blocks.

        Runs in a worker thread at the start of each refresh. On failure, the previous secrets stay
        in use. Raises :class:`~exporter.errors.CredentialsError`.
        """

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate the next request.

        Raises :class:`~exporter.errors.ApiError` and
        :class:`~exporter.errors.CredentialsError`.
        """

    @property
    def redactor(self) -> redaction.Redactor:
        """Removes the secret in the latest ``headers()`` from an answer that repeats it."""

    def refused(self) -> bool:
        """Handle a 401; return whether other headers are worth one more attempt."""


class BasicCredentials:
    """An API key and its secret, for HTTP basic authentication."""

    def __init__(self, source: ApiKeySource) -> None:
        self._source = source
        self._current: tuple[Mapping[str, str], redaction.Redactor] | None = None
        """Replaced as a whole, by a worker thread."""

    def read(self) -> None:
        """See :class:`Credentials`."""
        api_key, secret = self._source.read()
        text = secret.reveal()
        redactor = redaction.register(text, user=api_key)
        token = b64encode(f"{api_key}:{text}".encode()).decode()
        self._current = MappingProxyType({"Authorization": f"Basic {token}"}), redactor

    async def headers(self) -> Mapping[str, str]:
        """See :class:`Credentials`."""
        return self._read_before[0]

    @property
    def redactor(self) -> redaction.Redactor:
        """See :class:`Credentials`."""
        return self._read_before[1]

    @property
    def _read_before(self) -> tuple[Mapping[str, str], redaction.Redactor]:
        if self._current is None:
            raise RuntimeError("the credentials have not been read")
        return self._current

    def refused(self) -> bool:
        """Return False: an API key changes only with its secret file, at the next refresh."""
        return False
