"""Bytes to structs: what this exporter reads of the API's JSON, and nothing else.

Unknown members are ignored, as the provider's compatibility policy asks. Types are strict: an item
with a number where an id belongs is unreadable and counted, not guessed at. Members that no count
depends on, such as a description, are ignored where they have another type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Generic, Protocol, TypeVar

import msgspec

from exporter.confluent.repair import REPLACEMENT, Repair, without_unusable
from exporter.escaping import escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


_LONGEST_CRN = 4096  # characters
_LARGEST_COUNT = 2**63 - 1  # msgspec decodes larger ones to another type
Short = Annotated[str, msgspec.Meta(max_length=255)]
"""Ids and kinds: opaque, up to 255 characters (facts §1.3)."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """What ``owner``, ``resource`` and each of ``resources`` look like (facts §1.3, §1.5)."""

    id: Short | None = None
    kind: Short | None = None
    api_version: Short | None = None
    environment: Short | None = None
    resource_name: Annotated[str, msgspec.Meta(max_length=_LONGEST_CRN)] | None = None
    """A CRN, or a bare word such as ``cloud`` (facts §1.6)."""


class ApiKeySpec(msgspec.Struct, frozen=True, gc=False):
    """The part of a key that says whose it is and what it opens."""

    owner: Reference | None = None
    resource: Reference | None = None
    resources: list[Reference] | None = None
    display_name: str | None = None
    description: str | None = None
    expires_at: object = None
    """A time as text (facts §0.1); whatever else it is counts as none."""


class ApiKeyMetadata(msgspec.Struct, frozen=True, gc=False):
    """The part of a key that says since when it is there."""

    created_at: object = None
    """A time as text (facts §1.3); whatever else it is counts as none."""


class ApiKey(msgspec.Struct, frozen=True, gc=False):
    """One item of ``GET /iam/v2/api-keys``."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    spec: ApiKeySpec
    metadata: ApiKeyMetadata | None = None


class Named(msgspec.Struct, frozen=True, gc=False):
    """An item of a listing with the name at the top (facts §2).

    Service accounts, environments, regions and organizations.
    """

    id: Short
    display_name: str | None = None


class User(msgspec.Struct, frozen=True, gc=False):
    """An item of ``GET /iam/v2/users``."""

    id: Short
    full_name: str | None = None
    email: str | None = None


class Id(msgspec.Struct, frozen=True, gc=False):
    """A reference of which only the id is read, or an item that has only that."""

    id: Short


class ClusterSpec(msgspec.Struct, frozen=True, gc=False):
    """The part of a cluster that says what it is called."""

    display_name: str | None = None


class Cluster(msgspec.Struct, frozen=True, gc=False):
    """An item of the listings of clusters, which are asked for one environment at a time."""

    id: Short
    spec: ClusterSpec | None = None


class AppliedQuota(msgspec.Struct, frozen=True, gc=False):
    """An item of ``GET /service-quota/v1/applied-quotas`` (facts §3)."""

    id: Short
    scope: Short
    applied_limit: int
    usage: int | None = None
    """Missing where the API does not say; that is not 0."""
    user: Id | None = None
    """The principal of a row, also where that is a service account."""
    environment: Id | None = None
    kafka_cluster: Id | None = None
    network: Id | None = None
    identity_provider: Id | None = None
    certificate_authority: Id | None = None


class Page(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One page of a listing."""

    items: Sequence[T]
    next: str | None
    """The link to the next page as the API gave it; None at the end (facts §1.2)."""
    total_size: int | None
    """How many items there are in all, where the API says so; only good for a comparison."""
    unreadable: tuple[UnreadableItem, ...] = ()


class UnreadableItem(msgspec.Struct, frozen=True):
    """An item that could not be read; ``id`` is empty where not even that could be."""

    id: str
    problem: str


class _Links(msgspec.Struct, gc=False):
    next: str | None = None
    total_size: object = None  # whatever it is, the listing does not depend on it


MAX_ITEMS = 10_000
"""Of one page, which has 100 and perhaps 500 (facts §1.1): the rest of the program is not kept
waiting by a page that is beyond all reason."""


class _Envelope(msgspec.Struct, Generic[T], gc=False):
    data: Annotated[list[T], msgspec.Meta(max_length=MAX_ITEMS)]
    metadata: _Links


class Decoder(Protocol[T]):
    """What makes pages of bodies."""

    def decode(self, body: bytes) -> Page[T]:
        """See :meth:`PageDecoder.decode`."""


class PageDecoder(Generic[T]):
    """Decodes the pages of one kind of listing.

    A page whose items are all readable, the normal case, is decoded in one go. Otherwise each item
    is decoded alone, and if that fails once more after a repair of its values, and then once more
    without the members in :data:`_OPTIONAL` that are unusable.
    """

    def __init__(self, item: type[T]) -> None:
        self._items = msgspec.json.Decoder(_Envelope[item])  # type: ignore[valid-type] # at run time
        self._item = msgspec.json.Decoder(item)

    def decode(self, body: bytes) -> Page[T]:
        """Return the page in ``body``.

        Raises ``ValueError`` with a sentence where ``body`` is not the envelope of a listing.
        """
        try:
            envelope = self._items.decode(body)
        except _UNREADABLE:
            return self._decode_one_by_one(body)
        return _page(envelope.data, envelope.metadata)

    def _decode_one_by_one(self, body: bytes) -> Page[T]:
        repair = Repair()
        envelope = _envelope(body, repair)
        items: list[T] = []
        unreadable: list[UnreadableItem] = []
        for raw in map(bytes, envelope.data):
            try:
                items.append(self._decode_item(raw, repair))
            except _UNREADABLE as error:
                unreadable.append(UnreadableItem(_id_of(raw), _what(error)))
        return _page(items, envelope.metadata, tuple(unreadable))

    def _decode_item(self, raw: bytes, repair: Repair) -> T:
        try:
            item = self._item.decode(raw)
        except _UNREADABLE:
            raw = repair(raw)
            try:
                item = self._item.decode(raw)
            except msgspec.ValidationError:
                item = self._item.decode(without_unusable(raw, _OPTIONAL))
        if REPLACEMENT in _ID.decode(raw).id:
            raise ValueError("its id is broken")  # and might be that of another item now
        return item


_TEXTS = ("display_name", "description", "full_name", "email")
_OPTIONAL: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_TEXTS, lambda value: isinstance(value, str)),
    "resource_name": lambda value: isinstance(value, str) and len(value) <= _LONGEST_CRN,
    "usage": lambda value: type(value) is int and 0 <= value <= _LARGEST_COUNT,
}
"""Members of items that are only shown, or only help to find an environment."""
_UNREADABLE = (ValueError, RecursionError)
"""What msgspec raises, whose own errors are ``ValueError``, as ``UnicodeDecodeError`` is."""


def _what(error: Exception) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _page(
    items: Sequence[T], links: _Links, unreadable: tuple[UnreadableItem, ...] = ()
) -> Page[T]:
    total_size = links.total_size if type(links.total_size) is int else None
    return Page(items, links.next or None, total_size, unreadable)


_RAW = msgspec.json.Decoder(_Envelope[msgspec.Raw])
_ID = msgspec.json.Decoder(Id)


def _envelope(body: bytes, repair: Repair) -> _Envelope[msgspec.Raw]:
    try:
        return _RAW.decode(body)
    except _UNREADABLE as error:
        problem = error
    try:
        return _RAW.decode(repair(body))
    except _UNREADABLE:
        json = isinstance(problem, (msgspec.ValidationError, RecursionError))
        what = "a page of a listing" if json else "JSON"
        raise ValueError(f"the body is not {what} ({_what(problem)})") from None


def _id_of(raw: bytes) -> str:
    try:
        return escaped(_ID.decode(raw).id)
    except _UNREADABLE:
        return ""


class _ErrorDetail(msgspec.Struct, gc=False):
    code: str | int | None = None
    title: str | None = None
    detail: str | None = None
    message: str | None = None


class _ErrorBody(msgspec.Struct, gc=False):
    """The union of the envelopes of facts §1.7."""

    errors: list[_ErrorDetail] | None = None
    error: _ErrorDetail | str | None = None
    message: str | None = None


_ERROR = msgspec.json.Decoder(_ErrorBody)
_MESSAGE_LIMIT = 200


def error_message(body: bytes) -> str:
    """Return what an error's body says, in one printable line of at most 200 characters.

    Empty where the body is none of the known envelopes: HTML pages say nothing that helps.
    """
    try:
        parsed = _ERROR.decode(body)
    except _UNREADABLE:
        return ""
    details = list(parsed.errors or ())
    if isinstance(parsed.error, _ErrorDetail):
        details.append(parsed.error)
    texts = [
        text
        for detail in details
        for text in (detail.code, detail.title, detail.detail, detail.message)
        if isinstance(text, str) and text
    ]
    texts += [text for text in (parsed.error, parsed.message) if isinstance(text, str) and text]
    return one_line(": ".join(dict.fromkeys(texts)), _MESSAGE_LIMIT)
