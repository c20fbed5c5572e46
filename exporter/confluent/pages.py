"""Where a listing goes on: the rules that make a walk complete or a failure.

The link to the next page comes from the network. Only its ``page_token`` is used, never its host:
the credentials go nowhere but to the configured origin (facts §0.9).
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, urlsplit

from exporter.errors import PaginationError

MAX_PAGES = 100_000
"""More pages than the largest organization can have are a loop."""
_MAX_TOKEN_LENGTH = 4096  # documented as 255 (facts §1.1); a URL has to carry it


class Walk:
    """The place one walk through a listing has reached.

    ``url`` is the address of the listing: a ``next`` may only name its host. Scheme and port are
    not compared, since proxies that end TLS change them and the link itself is never requested.
    """

    def __init__(self, *, endpoint: str, url: str) -> None:
        self._endpoint = endpoint
        self._host = urlsplit(url).hostname
        self._seen: set[bytes] = set()  # digests, since tokens may be long

    def token_after(self, next_link: str | None) -> str | None:
        """Return the token of the page that ``next_link`` names, or None at the end.

        Raises :class:`PaginationError` for a link without a token, to another host, to a page
        that was read, or past :data:`MAX_PAGES`.
        """
        if not next_link:
            return None
        try:
            link = urlsplit(next_link)
            foreign = bool(link.netloc) and link.hostname != self._host
            tokens = parse_qs(link.query).get("page_token", [])
        except ValueError:
            raise self._failure("metadata.next is not a URL") from None
        if foreign:
            raise self._failure(
                "metadata.next leads to another host; nothing was sent there. Set `url` to the"
                " address that the API gives for itself"
            )
        if not tokens or len(tokens[0]) > _MAX_TOKEN_LENGTH:
            raise self._failure("metadata.next has no usable page_token")
        token = tokens[0]
        digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            raise self._failure("metadata.next leads to a page that was read already")
        if len(self._seen) + 2 > MAX_PAGES:  # the first page has no token, the next one is asked
            raise self._failure(f"the listing has more than {MAX_PAGES} pages")
        self._seen.add(digest)
        return token

    def _failure(self, message: str) -> PaginationError:
        return PaginationError(f"{message}. The listing is not used.", endpoint=self._endpoint)
