"""Decodes the API's JSON into structs with the members that the exporter uses.

Unknown members are ignored, as the provider's compatibility policy asks. Types are strict: an item
with a number as its id is unreadable and counted. Members that no count depends on, such as a
description, are ignored if they have another type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Generic, Protocol, TypeVar

import msgspec

from exporter.confluent.repair import REPLACEMENT, Repair, without_unusable
from exporter.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


_MAX_CRN_LENGTH = 4096  # characters
_MAX_COUNT = 2**63 - 1  # msgspec decodes larger numbers to another type
Short = Annotated[str, msgspec.Meta(max_length=255)]
"""An id or a kind: opaque, up to 255 characters."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """The ``owner``, the ``resource`` or one of the ``resources`` of a key."""

    id: Short | None = None
    kind: Short | None = None
    api_version: Short | None = None
    environment: Short | None = None
    resource_name: Annotated[str, msgspec.Meta(max_length=_MAX_CRN_LENGTH)] | None = None
    """A CRN, or a bare word such as ``cloud``; docs/confluent-cloud-api.md#crns."""


class ApiKeySpec(msgspec.Struct, frozen=True, gc=False):
    """The owner and the resources of a key, and its optional members."""

    owner: Reference | None = None
    resource: Reference | None = None
    resources: list[Reference] | None = None
    display_name: str | None = None
    description: str | None = None
    expires_at: object = None
    """A time as text; any other type counts as absent."""


class ApiKeyMetadata(msgspec.Struct, frozen=True, gc=False):
    """The metadata of a key."""

    created_at: object = None
    """A time as text; any other type counts as absent."""


class ApiKey(msgspec.Struct, frozen=True, gc=False):
    """One item of ``GET /iam/v2/api-keys``."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    spec: ApiKeySpec
    metadata: ApiKeyMetadata | None = None


class Named(msgspec.Struct, frozen=True, gc=False):
    """A service account, an environment, a region or an organization."""

    id: Short
    display_name: str | None = None


class User(msgspec.Struct, frozen=True, gc=False):
    """An item of ``GET /iam/v2/users``."""

    id: Short
    full_name: str | None = None
    email: str | None = None


class Id(msgspec.Struct, frozen=True, gc=False):
    """A reference or an item of which only the id is used."""

    id: Short


class ClusterSpec(msgspec.Struct, frozen=True, gc=False):
    """The name of a cluster."""

    display_name: str | None = None


class Cluster(msgspec.Struct, frozen=True, gc=False):
    """An item of a listing of clusters, each of which covers one environment."""

    id: Short
    spec: ClusterSpec | None = None


class AppliedQuota(msgspec.Struct, frozen=True, gc=False):
    """An item of ``GET /service-quota/v1/applied-quotas``."""

    id: Short
    scope: Short
    applied_limit: int
    usage: int | None = None
    """None if the API does not report it; that is not 0."""
    user: Id | None = None
    """The principal, which may be a service account."""
    environment: Id | None = None
    kafka_cluster: Id | None = None
    network: Id | None = None
    identity_provider: Id | None = None
    certificate_authority: Id | None = None


class Page(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One page of a listing."""

    items: Sequence[T]
    next: str | None
    """The link to the next page; None at the end."""
    total_size: int | None
    """The number of items in the whole listing, if the API reports it. It is not reliable."""
    unreadable: tuple[UnreadableItem, ...] = ()


class UnreadableItem(msgspec.Struct, frozen=True):
    """An item that could not be decoded; ``id`` is empty if that could not be decoded either."""

    id: str
    problem: str


class _Links(msgspec.Struct, gc=False):
    next: str | None = None
    total_size: object = None  # the listing does not depend on its type


MAX_ITEMS = 10_000
"""Items of one page, which has 100 by default. Decoding more would block the event loop."""


class _Envelope(msgspec.Struct, Generic[T], gc=False):
    data: Annotated[list[T], msgspec.Meta(max_length=MAX_ITEMS)]
    metadata: _Links


class Decoder(Protocol[T]):
    """Makes pages of bodies."""

    def decode(self, body: bytes) -> Page[T]:
        """See :meth:`PageDecoder.decode`."""


class PageDecoder(Generic[T]):
    """Decodes the pages of one kind of listing.

    A page is decoded as a whole if all of its items are readable. Otherwise each item is decoded
    alone: first as it is, then with its values repaired, then without unusable members of
    :data:`_OPTIONAL`.
    """

    def __init__(self, item: type[T]) -> None:
        self._items = msgspec.json.Decoder(_Envelope[item])  # type: ignore[valid-type] # at run time
        self._item = msgspec.json.Decoder(item)

    def decode(self, body: bytes) -> Page[T]:
        """Return the page in ``body``.

        Raises ``ValueError`` with a message if ``body`` is not a page of a listing.
        """
        try:
            envelope = self._items.decode(body)
        except _UNREADABLE:
            return self._decode_one_by_one(body)
        return _page(envelope.data, envelope.metadata)

    def split(self, body: bytes) -> Page[bytes]:
        """Return the page in ``body`` with its items as they are, for :meth:`decode_item`.

        Raises ``ValueError`` if it needs :meth:`decode`.
        """
        envelope = _RAW.decode(body)
        return _page([bytes(raw) for raw in envelope.data], envelope.metadata)

    def decode_item(self, raw: bytes) -> T:
        """Return an item of :meth:`split`. Raises ``ValueError`` if it needs :meth:`decode`."""
        return self._item.decode(raw)

    def _decode_one_by_one(self, body: bytes) -> Page[T]:
        repair = Repair()
        envelope = _envelope(body, repair)
        items: list[T] = []
        unreadable: list[UnreadableItem] = []
        for raw in map(bytes, envelope.data):
            try:
                items.append(self._decode_item(raw, repair))
            except _UNREADABLE as error:
                unreadable.append(UnreadableItem(_id_of(raw), _problem(error)))
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
            raise ValueError("its id is broken")  # it may now equal the id of another item
        return item


_TEXTS = ("display_name", "description", "full_name", "email")
_OPTIONAL: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_TEXTS, lambda value: isinstance(value, str)),
    "resource_name": lambda value: isinstance(value, str) and len(value) <= _MAX_CRN_LENGTH,
    "usage": lambda value: type(value) is int and 0 <= value <= _MAX_COUNT,
}
"""Optional members and whether a value is usable. No count depends on them."""
_UNREADABLE = (ValueError, RecursionError)
"""Errors of msgspec, whose own ones and ``UnicodeDecodeError`` are ``ValueError``."""


def _problem(error: Exception) -> str:
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
        first_error = error
    try:
        return _RAW.decode(repair(body))
    except _UNREADABLE:
        is_json = isinstance(first_error, (msgspec.ValidationError, RecursionError))
        expected = "a page of a listing" if is_json else "JSON"
        raise ValueError(f"the body is not {expected} ({_problem(first_error)})") from None


def _id_of(raw: bytes) -> str:
    try:
        return escaped(_ID.decode(raw).id)
    except _UNREADABLE:
        return ""
