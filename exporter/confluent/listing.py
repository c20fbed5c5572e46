"""Listings of the API, page by page.

The link to the next page comes from the network. Only its ``page_token`` is used. Its host may
differ from the configured one, because gateways, proxies and mock servers return the public address
of the API. Requests only go to the configured origin.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs

from exporter.confluent.request import Request
from exporter.errors import InvalidResponse, PaginationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exporter.confluent.endpoints import Listing
    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.confluent.wire import Page

T = TypeVar("T")

MAX_PAGES = 100_000
"""More pages than the largest organization can have."""
_MAX_TOKEN_LENGTH = 4096
"""Characters; documented as 255. A URL has to carry it."""
_MAX_LINK_LENGTH = 4 * _MAX_TOKEN_LENGTH
"""Characters: a token in percent-encoding, and the address. Parsing takes time."""
_UNDECODABLE = "\N{REPLACEMENT CHARACTER}"


async def pages(
    host: Host, listing: Listing[T], params: Mapping[str, str], budget: Budget, *, page_size: int
) -> AsyncIterator[Page[T]]:
    """Yield the pages of ``listing`` with the query ``params``, from the first to the last.

    The listing is complete only if the iteration ends without an error. Raises
    :class:`~exporter.errors.ApiError` and :class:`~exporter.errors.CredentialsError`.
    """
    walk = Walk(endpoint=listing.endpoint)
    query = {**params, "page_size": str(page_size)}
    while True:
        request = Request(listing.endpoint, query=query, causes=listing.causes)
        answer = await host.send(request, budget)
        with host.counting_failures(request, budget, answer):
            page = _decode(listing, answer.body)
            token = walk.token_after(page.next)
        yield page
        if token is None:
            return
        query = {**query, "page_token": token}


def _decode(listing: Listing[T], body: bytes) -> Page[T]:
    try:
        return listing.decoder.decode(body)
    except ValueError as error:
        raise InvalidResponse(
            f"{error}. Check that `url` is the address of the API", endpoint=listing.endpoint
        ) from None


class Walk:
    """The position in one walk through a listing."""

    def __init__(self, *, endpoint: str) -> None:
        self._endpoint = endpoint
        self._seen: set[bytes] = set()
        """Digests of the tokens, which may be long."""

    def token_after(self, next_link: str | None) -> str | None:
        """Return the token of the page that ``next_link`` leads to; None at the end.

        Raises :class:`PaginationError` for a link without a token, to a page that has been read,
        or past :data:`MAX_PAGES`.
        """
        if not next_link:
            return None
        token = _token_in(next_link)
        if token is None:
            raise self._failure("metadata.next has no usable page_token")
        digest = hashlib.blake2b(token.encode(), digest_size=16).digest()
        if digest in self._seen:
            raise self._failure("metadata.next leads to a page that has been read already")
        if len(self._seen) + 2 > MAX_PAGES:  # the first page has no token, and the next one counts
            raise self._failure(f"the listing has more than {MAX_PAGES} pages")
        self._seen.add(digest)
        return token

    def _failure(self, message: str) -> PaginationError:
        return PaginationError(f"{message}. The listing is not used", endpoint=self._endpoint)


def _token_in(link: str) -> str | None:
    """Return the ``page_token`` in the query of ``link``; None if none is usable."""
    if len(link) > _MAX_LINK_LENGTH:
        return None
    query = link.partition("#")[0].partition("?")[2]
    token = next(iter(parse_qs(query).get("page_token", ())), "")
    usable = 0 < len(token) <= _MAX_TOKEN_LENGTH and _UNDECODABLE not in token
    return token if usable else None
