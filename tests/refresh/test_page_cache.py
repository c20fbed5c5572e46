from __future__ import annotations

import json

import pytest

from exporter.collectors.api_keys.page_cache import PageCache
from exporter.confluent.endpoints import API_KEYS
from exporter.inventory import Key, key_of


def page(*ids: str, more: str = "") -> bytes:
    items = [{"id": each, "spec": {"owner": {"id": f"sa-{each}"}}} for each in ids]
    return json.dumps({"data": items, "metadata": {"next": more}}).encode()


def read(pages: PageCache, *bodies: bytes) -> list[Key]:
    """Return the keys of one walk."""
    decoder = pages.listing().decoder
    return [key for body in bodies for key in decoder.decode(body).items]


def test_a_page_is_read_as_if_nothing_was_known() -> None:
    bodies = page("A", "B", more="?page_token=x"), page("C")
    pages = PageCache()
    expected = [key_of(item) for body in bodies for item in API_KEYS.decoder.decode(body).items]
    assert read(pages, *bodies) == read(pages, *bodies) == expected
    again = pages.listing().decoder.decode(bodies[0])
    assert again.next == "?page_token=x"


def test_what_came_before_as_it_comes_now_is_the_same_object_and_the_rest_is_new() -> None:
    pages = PageCache()
    first, second = read(pages, page("A"), page("B"))
    same, other = read(pages, page("A"), page("C"))
    assert same is first
    assert (second.id, other.id) == ("B", "C")


def test_pages_that_are_gone_are_forgotten_and_a_walk_that_failed_at_once_forgets_nothing() -> None:
    pages = PageCache()
    (first,) = read(pages, page("A"))
    pages.listing()  # a walk whose first request failed
    (same,) = read(pages, page("A"))
    assert same is first
    read(pages, page("B"))
    (again,) = read(pages, page("A"))
    assert again is not first


def test_what_is_no_page_is_refused_each_time() -> None:
    pages = PageCache()
    for _ in range(2):
        with pytest.raises(ValueError, match="not JSON"):
            read(pages, b"<html>")
