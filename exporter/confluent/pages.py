"""Where a listing continues: the rules that make a walk complete or a failure.

The link to the next page comes from the network. Only its ``page_token`` is read. Its host may
differ from the configured one, because gateways, proxies and mock servers hand out the public
address of the API; no request ever goes there.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs

from exporter.errors import PaginationError

MAX_PAGES = 100_000
"""More pages than the largest organization can have are a loop."""
_MAX_TOKEN_LENGTH = 4096  # documented as 255; a URL has to carry it
_MAX_LINK_LENGTH = 4 * _MAX_TOKEN_LENGTH
"""Characters: a token in percent-encoding, and room for the address. Parsing takes time."""
_BROKEN = "\N{REPLACEMENT CHARACTER}"  # where decoding found no text


class Walk:
    """The position of one walk through a listing."""

    def __init__(self, *, endpoint: str) -> None:
        self._endpoint = endpoint
        self._seen: set[bytes] = set()  # digests, since tokens may be long

    def token_after(self, next_link: str | None) -> str | None:
        """Return the token of the page that ``next_link`` names, or None at the end.

        Raises :class:`PaginationError` for a link without a token, to a page that was read
        already, or past :data:`MAX_PAGES`.
        """
        if not next_link:
            return None
        token = _token_in(next_link)
        if token is None:
            raise self._failure("metadata.next has no usable page_token")
        digest = hashlib.blake2b(token.encode(), digest_size=16).digest()
        if digest in self._seen:
            raise self._failure("metadata.next leads to a page that was read already")
        if len(self._seen) + 2 > MAX_PAGES:  # the first page has no token, the next one is asked
            raise self._failure(f"the listing has more than {MAX_PAGES} pages")
        self._seen.add(digest)
        return token

    def _failure(self, message: str) -> PaginationError:
        return PaginationError(f"{message}. The listing is not used.", endpoint=self._endpoint)


def _token_in(link: str) -> str | None:
    """Return the ``page_token`` in the query of ``link``, None where none is usable."""
    if len(link) > _MAX_LINK_LENGTH:
        return None
    query = link.partition("#")[0].partition("?")[2]
    token = next(iter(parse_qs(query).get("page_token", ())), "")
    return token if 0 < len(token) <= _MAX_TOKEN_LENGTH and _BROKEN not in token else None
