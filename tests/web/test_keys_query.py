"""The query string of the keys: what is accepted, and what the errors say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.inventory import POLICIES
from exporter.report import Selection, Sorting, literal
from exporter.report.selection import matcher
from exporter.web.keys_query import (
    FILTERS,
    KeysQuery,
    QueryError,
    parse_query,
    query_for,
)
from tests.small_organization import small_world
from tests.web.keys import got, refreshed

_SORTS = (
    "organization, -organization, api_key, -api_key, owner, -owner, team, -team,"
    " resource, -resource, environment, -environment, age, -age, expiry, -expiry"
)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            "foo=1",
            (
                "unknown parameter 'foo'. Expected one of organization, owner, team,"
                " resource, environment, api_key, policy, sort, page"
            ),
        ),
        ("Owner=", "unknown parameter 'Owner'. Expected one of organization, owner, team,"),
        ("%3Cb%3E%0A%E2%80%AE=1", r"unknown parameter '<b>\\n\\u202e'. Expected one of"),
        (
            "policy=max_age&policy=maxage",
            f"policy: 'maxage' is not a policy. Expected one of {', '.join(POLICIES)}",
        ),
        ("policy=max_*", "policy: 'max_*' is not a policy."),
        ("sort=colour", f"sort: 'colour' is not a field. Expected one of {_SORTS}"),
        ("sort=--age", "sort: '--age' is not a field."),
        ("sort=age&sort=owner", "sort: 2 values. Expected one"),
        ("page=1&page=2", "page: 2 values. Expected one"),
        ("page=x", "page: 'x' is not a page number. Expected 1 or more"),
        ("page=-1", "page: '-1' is not a page number."),
        ("page=%D9%A1", "page: '\u0661' is not a page number."),
        ("page=9999999", "page: '9999999' is not a page number."),
        ("&".join(["owner=a"] * 21), "owner: 21 values. Expected at most 20"),
        (
            f"resource={'x' * 1025}",
            "resource: a value is too long. Expected at most 1024 characters",
        ),
        (
            "&".join([f"resource={'*' * 1024}", *[f"owner={'?' * 1024}"] * 4]),
            "the filters are too long. Expected at most 4096 characters",
        ),
        ("&".join(["x=1"] * 201), "too many parameters. Expected at most 200"),
        ("owner=%ff", "the query string is not valid. Expected percent-encoded UTF-8"),
    ],
)
async def test_a_query_that_is_not_valid_is_400_and_says_why(query: str, problem: str) -> None:
    found = await got(await refreshed(small_world()), f"/keys?{query}")
    assert found.status_code == 400
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.text.startswith(problem)
    assert found.text.endswith(".\n")
    assert found.text.count("\n") == 1


def test_raw_bytes_that_are_not_ascii_are_not_valid() -> None:
    with pytest.raises(QueryError, match="percent-encoded UTF-8"):
        parse_query(b"owner=\xff", paged=True)


async def test_downloads_have_no_pages() -> None:
    for path in ("/keys.csv", "/keys.json"):
        found = await got(await refreshed(small_world()), f"{path}?page=2")
        assert found.status_code == 400
        assert found.text.startswith("unknown parameter 'page'.")


def test_empty_values_are_as_if_absent() -> None:
    raw = "&".join(f"{name}=" for name in (*FILTERS, "sort", "page")).encode()
    assert parse_query(raw, paged=True) == KeysQuery() == parse_query(b"", paged=True)
    assert parse_query(b"owner=&owner=a", paged=True).values("owner") == ("a",)


def test_a_query_is_encoded_with_its_filters() -> None:
    query = parse_query(b"policy=max_age&owner=a+b%26&owner=c&sort=-age&page=3", paged=True)
    assert query.selection == Selection(owners=("a b&", "c"))
    assert (query.sorting, query.page) == (Sorting("age", descending=True), 3)
    assert query.encoded() == "?owner=a%20b%26&owner=c&policy=max_age"
    assert query.encoded(sorting=query.sorting, page=2).endswith("&sort=-age&page=2")
    assert KeysQuery().encoded() == ""


@given(st.text(min_size=1, max_size=255), st.text(max_size=255))
def test_a_literal_pattern_matches_its_text_and_no_other(text: str, other: str) -> None:
    matches = matcher((literal(text),))
    assert matches(text)
    assert matches(other) is (other == text)


@given(
    st.dictionaries(
        st.sampled_from([name for name in FILTERS if name != "policy"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255),
        min_size=1,
    )
)
def test_any_value_survives_its_url(values: dict[str, str]) -> None:
    query = parse_query(query_for(values).removeprefix("?").encode("ascii"), paged=True)
    for name, value in values.items():
        assert matcher(query.values(name))(value)
