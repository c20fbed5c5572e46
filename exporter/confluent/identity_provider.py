"""Gets the tokens that an identity provider issues for the exporter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from exporter import redaction
from exporter.confluent.credentials import ANONYMOUS
from exporter.confluent.endpoints import IDENTITY_PROVIDER
from exporter.confluent.file_access import FileAccess
from exporter.confluent.request import FORM, Request
from exporter.confluent.tokens import parse_token
from exporter.errors import (
    ApiError,
    CredentialsError,
    IdentityProviderFailed,
    InvalidResponse,
    TokenUnreadable,
)

if TYPE_CHECKING:
    from exporter.clock import Clock
    from exporter.config import OAuthClient, Secret, TokenFile
    from exporter.confluent.connection import Answer
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.confluent.tokens import Token

_BAD_CLIENT = (
    "the identity provider rejects the client. Check `client_id`, `scope` and the client secret,"
    " and that the client may use the client credentials grant"
)
_TOO_MANY = (
    "the identity provider limits the requests for tokens. Check what else uses this client, and"
    " whether its tokens live long enough"
)


class SubjectTokens(ABC):
    """A source of tokens of an identity provider, which the STS exchanges."""

    @abstractmethod
    async def get(self, budget: Budget) -> Secret:
        """Return a token that has not expired, unless its expiry is unknown.

        Raises :class:`~exporter.errors.CredentialsError`.
        """

    def refused(self) -> bool:
        """Handle a refusal by the STS; return whether another token is worth one more attempt."""
        return False

    def resume(self, previous: SubjectTokens) -> None:
        """Continue with the token and rate limits of ``previous``, which has the same settings."""
        del previous

    async def aclose(self) -> None:
        """Close the connection to the identity provider, if there is one."""
        return


class FileTokens(SubjectTokens):
    """Tokens in a file that something else renews, such as a kubelet.

    The file is read for each exchange, even if its modification time is the same.
    """

    def __init__(self, file: TokenFile, *, clock: Clock) -> None:
        self._file = file
        self._reader = FileAccess(file.read, clock=clock)

    async def get(self, budget: Budget) -> Secret:
        """See :class:`SubjectTokens`."""
        try:
            token = await self._reader.run(deadline=budget.deadline)
        except TimeoutError:
            raise TokenUnreadable(
                f"the token: {self._file.source} could not be read within the {budget.limit_name}."
                " Check the file system that it is on"
            ) from None
        redaction.register_token(token.reveal())
        return token


class ClientTokens(SubjectTokens):
    """Tokens by the client credentials grant (RFC 6749 §4.4). ``host``: the identity provider.

    A token is used until shortly before it expires. A token of unknown lifetime is used once.
    """

    def __init__(self, client: OAuthClient, host: Host, *, clock: Clock) -> None:
        self._client = client
        self._host = host
        self._clock = clock
        self._reader = FileAccess(client.read, clock=clock)
        self._token: Token | None = None
        self._is_reused = False
        """Whether the latest token was issued for an earlier exchange."""

    async def get(self, budget: Budget) -> Secret:
        """See :class:`SubjectTokens`."""
        token = self._token
        self._is_reused = token is not None and self._clock.monotonic() < token.renew_at
        if token is None or not self._is_reused:
            token = self._token = await self._issue(budget)
        return token.secret

    async def _issue(self, budget: Budget) -> Token:
        request = Request(
            IDENTITY_PROVIDER,
            path="",
            method="POST",
            body=await self._form(budget),
            content_type=FORM,
            follow_redirects=False,
            causes={**dict.fromkeys((400, 401, 403), _BAD_CLIENT), 429: _TOO_MANY},
        )
        try:
            with budget.lent(ANONYMOUS) as lent:
                answer = await self._host.send(request, lent)
                with self._host.counting_failures(request, lent, answer):
                    return _parsed(answer)
        except ApiError as error:
            raise IdentityProviderFailed(str(error), request_id=error.request_id) from error
        finally:
            await self._host.aclose()  # idle for minutes or hours

    async def _form(self, budget: Budget) -> bytes:
        try:
            secret = await self._reader.run(deadline=budget.deadline)
        except TimeoutError:
            raise CredentialsError(
                f"the client secret: {self._client.client_secret} could not be read within the"
                f" {budget.limit_name}. Check the file system that it is on"
            ) from None
        text = secret.reveal()
        redaction.register(text, user=self._client.client_id)
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client.client_id,
            "client_secret": text,
        }
        if self._client.scope is not None:
            form["scope"] = self._client.scope
        return urlencode(form).encode()

    def refused(self) -> bool:
        """See :class:`SubjectTokens`."""
        self._token = None
        return self._is_reused

    def resume(self, previous: SubjectTokens) -> None:
        """See :class:`SubjectTokens`."""
        if isinstance(previous, ClientTokens):
            self._resume(previous)

    def _resume(self, previous: ClientTokens) -> None:
        self._token = previous._token
        self._host.resume(previous._host)

    async def aclose(self) -> None:
        """See :class:`SubjectTokens`."""
        await self._host.aclose()


def _parsed(answer: Answer) -> Token:
    try:
        return parse_token(answer.body, requested_at=answer.requested_at, default_lifetime=0)
    except ValueError as error:
        raise InvalidResponse(f"{error}. Check `token_url`", endpoint=IDENTITY_PROVIDER) from None
