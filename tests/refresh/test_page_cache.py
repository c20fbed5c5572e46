from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from exporter.collectors.api_keys.page_cache import PageCache
from exporter.confluent.endpoints import API_KEYS
from exporter.inventory import Key, key_from

if TYPE_CHECKING:
    from collections.abc import Mapping


def page(*ids: str, more: str = "") -> bytes:
    items = [{"id": each, "spec": {"owner": {"id": f"sa-{each}"}}} for each in ids]
    return json.dumps({"data": items, "metadata": {"next": more}}).encode()


def read(
    pages: PageCache, *bodies: bytes, previous: Mapping[str, Key] = MappingProxyType({})
) -> list[Key]:
    """Return the keys of one complete listing."""
    decoder = pages.listing(previous).decoder
    keys = [key for body in bodies for key in decoder.decode(body).items]
    pages.keep()
    return keys


def test_a_cached_page_is_decoded_like_an_uncached_one() -> None:
    bodies = page("A", "B", more="?page_token=x"), page("C")
    pages = PageCache()
    expected = [key_from(item) for body in bodies for item in API_KEYS.decoder.decode(body).items]
    assert read(pages, *bodies) == read(pages, *bodies) == expected
    again = pages.listing({}).decoder.decode(bodies[0])
    assert again.next == "?page_token=x"


def test_unchanged_keys_are_the_same_objects_and_changed_ones_are_new() -> None:
    pages = PageCache()
    first, second = read(pages, page("A"), page("B"))
    same, other = read(pages, page("A"), page("C"))
    assert same is first
    assert (second.id, other.id) == ("B", "C")


def test_a_key_that_is_decoded_again_is_the_object_of_the_previous_listing() -> None:
    first, second = read(PageCache(), page("A", "B"))
    previous = {"A": first, "B": replace(second, description="another")}
    same, other, new = read(PageCache(), page("A", "B", "C"), previous=previous)
    assert same is first
    assert (other, other is previous["B"], new.id) == (second, False, "C")


def test_keys_that_move_by_less_than_a_page_are_the_same_objects() -> None:
    pages = PageCache()
    a, b, c, d = read(pages, page("A", "B"), page("C", "D"))
    later = read(pages, page("B", "C"), page("D", "E"))  # A was deleted and E created
    assert [key.id for key in later] == ["B", "C", "D", "E"]
    assert all(key is before for key, before in zip(later, (b, c, d), strict=False))
    again = read(pages, page("0", "A"), page("B", "C"), page("D", "E"))
    assert [key.id for key in again] == ["0", "A", "B", "C", "D", "E"]
    assert again[2:] == later
    assert all(key is before for key, before in zip(again[2:], later, strict=True))
    assert again[1] == a


def test_a_changed_key_is_decoded_again_among_unchanged_ones() -> None:
    pages = PageCache()
    first, second = read(pages, page("A", "B"))
    moved = page("A", "B").replace(b"sa-B", b"sa-X")
    same, changed = read(pages, moved, previous={"A": first, "B": second})
    assert same is first
    assert (changed.id, changed.owner.id) == ("B", "sa-X")


def test_an_unreadable_item_of_a_changed_page_is_reported_each_time() -> None:
    pages = PageCache()
    for ids in (("A", "B"), ("A", "B", "C")):
        body = page(*ids).replace(b'"id": "B"', b'"id": 1')
        decoded = pages.listing({}).decoder.decode(body)
        pages.keep()
        assert [key.id for key in decoded.items] == [each for each in ids if each != "B"]
        assert len(decoded.unreadable) == 1


def test_only_a_complete_listing_evicts_pages() -> None:
    pages = PageCache()
    (first,) = read(pages, page("A"))
    pages.listing({}).decoder.decode(page("B"))  # a listing that fails after this page
    (same,) = read(pages, page("A"))
    assert same is first
    read(pages, page("B"))
    (again,) = read(pages, page("A"))
    assert again is not first


def test_an_invalid_page_is_rejected_each_time() -> None:
    pages = PageCache()
    for _ in range(2):
        with pytest.raises(ValueError, match="not JSON"):
            read(pages, b"<html>")
