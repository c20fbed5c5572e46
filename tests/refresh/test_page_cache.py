from __future__ import annotations

import json

import pytest

from exporter.collectors.api_keys.page_cache import PageCache
from exporter.confluent.endpoints import API_KEYS
from exporter.inventory import Key, key_from


def page(*ids: str, more: str = "") -> bytes:
    items = [{"id": each, "spec": {"owner": {"id": f"sa-{each}"}}} for each in ids]
    return json.dumps({"data": items, "metadata": {"next": more}}).encode()


def read(pages: PageCache, *bodies: bytes) -> list[Key]:
    """Return the keys of one complete listing."""
    decoder = pages.listing().decoder
    keys = [key for body in bodies for key in decoder.decode(body).items]
    pages.keep()
    return keys


def test_a_cached_page_is_decoded_like_an_uncached_one() -> None:
    bodies = page("A", "B", more="?page_token=x"), page("C")
    pages = PageCache()
    expected = [key_from(item) for body in bodies for item in API_KEYS.decoder.decode(body).items]
    assert read(pages, *bodies) == read(pages, *bodies) == expected
    again = pages.listing().decoder.decode(bodies[0])
    assert again.next == "?page_token=x"


def test_unchanged_keys_are_the_same_objects_and_changed_ones_are_new() -> None:
    pages = PageCache()
    first, second = read(pages, page("A"), page("B"))
    same, other = read(pages, page("A"), page("C"))
    assert same is first
    assert (second.id, other.id) == ("B", "C")


def test_only_a_complete_listing_evicts_pages() -> None:
    pages = PageCache()
    (first,) = read(pages, page("A"))
    pages.listing().decoder.decode(page("B"))  # a listing that fails after this page
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
