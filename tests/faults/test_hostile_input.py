"""Whatever the API sends: a valid exposition and a valid page, or a counted failure."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import time
import tracemalloc
import zlib
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.exposition import Format
from tests import virtual_time
from tests.harness import Harness
from tests.programs import program
from tests.web.browser import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TOTAL = "confluent_cloud_organization_api_keys"
MIB = 1024 * 1024


class Answers(httpx.AsyncBaseTransport):
    """Answers every request alike."""

    def __init__(self, answer: Callable[[], httpx.Response]) -> None:
        self._answer = answer

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        return self._answer()


def answering(
    body: bytes, *, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
) -> Harness:
    return streaming(lambda: httpx.Response(status, headers=headers, stream=httpx.ByteStream(body)))


def streaming(answer: Callable[[], httpx.Response]) -> Harness:
    harness = Harness(0, settings="per_key_metrics: true, per_key_display_names: true")
    harness.wire = Answers(answer)
    return harness.configured()


def listing(*items: Any, metadata: Any = None) -> bytes:
    return json.dumps({"data": list(items), "metadata": metadata or {}}).encode()


async def outcome(harness: Harness) -> str | None:
    """Refresh; return the reason of the failure, None for success, after looking at all of it."""
    await harness.exporter.refresh_once()
    text = harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode()
    assert list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert Tags.of(await page_of(harness)) <= Tags.ours
    collector = harness.state.refreshes["api_keys"]
    reasons = harness.values("confluent_cloud_exporter_refresh_failures_total", "reason")
    if collector.failure is None:
        assert reasons == {}
        assert harness.value(TOTAL) is not None
        return None
    assert collector.failure.reason != "internal"
    assert reasons == {collector.failure.reason: 1}
    assert harness.value(TOTAL) is None
    return collector.failure.reason


class Tags(HTMLParser):
    """The elements of a page."""

    ours = frozenset(
        {"html", "head", "meta", "title", "style", "body", "header", "h1", "nav", "a", "section"}
        | {
            "h2",
            "h3",
            "strong",
            "table",
            "td",
            "th",
            "tr",
            "span",
            "dl",
            "div",
            "dt",
            "dd",
            "br",
            "small",
            "code",
            "p",
            "main",
            "footer",
            "link",
            "wbr",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "link":
            assert (dict(attrs)["href"] or "").startswith("data:image/svg+xml,")

    @classmethod
    def of(cls, page: str) -> set[str]:
        parser = cls()
        parser.feed(page)
        return parser.found


@given(
    body=st.one_of(
        st.binary(), st.text().map(str.encode), st.binary().map(lambda body: b"\x1f\x8b" + body)
    ),
    status=st.one_of(st.just(200), st.integers(200, 599)),
)
def test_any_bytes_with_any_status_are_a_success_or_a_typed_failure(
    body: bytes, status: int
) -> None:
    async def look() -> None:
        await outcome(answering(body, status=status))

    virtual_time.run(look())


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)
_TEXT = st.one_of(st.text(max_size=255), st.sampled_from(["sa-1", "u-1", "<b>", '"\\\n\0']), _JSON)
_REFERENCE = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "id": _TEXT,
            "kind": _TEXT,
            "api_version": _TEXT,
            "environment": _TEXT,
            "resource_name": _TEXT,
        },
    ),
    _JSON,
)
_ITEM = st.one_of(
    st.fixed_dictionaries(
        {"id": _TEXT},
        optional={
            "spec": st.one_of(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "owner": _REFERENCE,
                        "resource": _REFERENCE,
                        "resources": st.one_of(st.lists(_REFERENCE), _JSON),
                    },
                ),
                _JSON,
            ),
            "metadata": _JSON,
        },
    ),
    _JSON,
)


@given(items=st.lists(_ITEM), metadata=st.one_of(st.just({}), _JSON))
def test_any_items_are_counted_or_counted_as_unreadable(items: list[Any], metadata: Any) -> None:
    async def look() -> None:
        harness = answering(json.dumps({"data": items, "metadata": metadata}).encode())
        if await outcome(harness) is None:
            unreadable = harness.value("confluent_cloud_exporter_unreadable_items")
            assert unreadable is not None
            readable = len(items) - unreadable
            total = harness.value(TOTAL)
            assert total is not None
            assert total <= readable  # ids may come twice
            assert (total > 0) == (readable > 0)

    virtual_time.run(look())


LONG = "x" * 255


@pytest.mark.integration
@pytest.mark.parametrize(
    "text",
    [
        LONG,
        "\N{GRINNING FACE}" * 255,
        *('"', "\\", "\n", "\r", "\0", "\u2028", "\x1b[31m", "\ufeff", "a\u202eb"),
        *("<script>alert(1)</script>", "{{ 7 * 7 }}"),
    ],
    ids=ascii,
)
async def test_texts_of_every_kind_come_through_as_labels(text: str) -> None:
    item = {
        "id": text,
        "spec": {
            "owner": {"id": text, "kind": text},
            "resource": {"id": text, "kind": text, "environment": text, "api_version": text},
        },
    }
    harness = answering(listing(item))
    assert await outcome(harness) is None
    assert harness.value(TOTAL) == 1
    expected = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert harness.values("confluent_cloud_owner_api_keys", "owner_id") == {expected: 1}
    done = subprocess.run(  # noqa: ASYNC221 # nothing else runs meanwhile
        [program("promtool"), "check", "metrics"],
        input=harness.exposition().encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "item",
    [
        {"id": "x" * 256, "spec": {}},
        {"id": "", "spec": {}},
        {"id": 5, "spec": {}},
        {"id": "A"},
        {"id": "A", "spec": None},
        {"id": "A", "spec": {"owner": {"id": 7}}},
        {"id": "A", "spec": {"resource": {"id": "x" * 256}}},
        {"id": "A", "spec": {"resources": "lkc-1"}},
    ],
    ids=lambda item: json.dumps(item)[:40],
)
async def test_what_is_no_key_is_counted_as_unreadable(item: dict[str, Any]) -> None:
    harness = answering(listing(item, {"id": "GOOD", "spec": {}}))
    assert await outcome(harness) is None
    assert harness.value(TOTAL) == 1
    assert harness.value("confluent_cloud_exporter_unreadable_items") == 1


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("place", ["item", "member", "metadata", "body"])
async def test_nesting_of_any_depth(depth: int, opening: str, place: str) -> None:
    closing = "]" if opening == "[" else "}"
    deep = opening * depth + "null" + closing * depth
    body = {
        "item": f'{{"data": [{deep}], "metadata": {{}}}}',
        "member": f'{{"data": [{{"id": "A", "spec": {{"x": {deep}}}}}], "metadata": {{}}}}',
        "metadata": f'{{"data": [], "metadata": {{"x": {deep}}}}}',
        "body": deep,
    }[place]
    assert await outcome(answering(body.encode())) in {None, "invalid_response"}


async def test_numbers_out_of_all_proportion() -> None:
    body = b'{"data": [{"id": "A", "spec": {}, "x": 1e999999}], "metadata": {"total_size": 9e99}}'
    assert await outcome(answering(body)) in {None, "invalid_response"}
    huge = b'{"data": [], "metadata": {"total_size": ' + b"9" * 5000 + b"}}"
    assert await outcome(answering(huge)) in {None, "invalid_response"}


def chunks(total: int, *, chunk: bytes) -> Callable[[], httpx.Response]:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(total // len(chunk)):
            yield chunk

    return lambda: httpx.Response(200, content=stream())


@pytest.mark.parametrize("kind", ["50 MB of nothing", "a gzip bomb of 1 GiB"])
async def test_a_body_that_is_too_large_never_fills_the_memory(kind: str) -> None:
    if kind == "50 MB of nothing":
        harness = streaming(chunks(50 * MIB, chunk=b" " * 65536))
    else:
        compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        zeros = b"\0" * MIB
        bomb = b"".join(compressor.compress(zeros) for _ in range(1024)) + compressor.flush()
        harness = answering(bomb)
    tracemalloc.start()
    try:
        assert await outcome(harness) == "invalid_response"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * 16 * MIB  # max_response_bytes is 16 MiB; a buffer that grows is copied


async def test_a_compressed_error_page_is_bounded_too() -> None:
    body = gzip.compress(b'{"message": "' + b"x" * MIB + b'"}')
    harness = answering(body, status=500)
    assert await outcome(harness) == "server_error"
    failure = harness.state.refreshes["api_keys"].failure
    assert failure is not None
    assert len(failure.message) < 500


async def test_ten_thousand_headers() -> None:
    headers = [(f"x-ratelimit-{n}".encode(), b"7" * 100) for n in range(10_000)]
    headers += [(b"x-ratelimit-remaining", b"7")] * 10_000
    assert await outcome(answering(listing(), headers=headers)) is None


async def test_an_answer_that_trickles_for_ever_ends_with_the_requests_time() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(1)
            yield b" "

    harness = streaming(lambda: httpx.Response(200, content=trickle()))
    began = harness.clock.monotonic()
    assert await outcome(harness) == "timeout"
    assert harness.clock.monotonic() - began < 5 * 10 + 15


async def test_a_listing_without_end_is_given_up() -> None:
    number = 0

    def answer() -> httpx.Response:
        nonlocal number
        number += 1
        items = [{"id": f"{number}-{n}", "spec": {}} for n in range(10_000)]
        body = listing(*items, metadata={"next": f"/?page_token={number}"})
        return httpx.Response(200, stream=httpx.ByteStream(body))

    assert await outcome(streaming(answer)) == "pagination"
    assert number == 101  # a million keys, and one page more


async def test_a_page_of_more_items_than_any_page_has() -> None:
    item = {"id": "A", "spec": {}}
    assert await outcome(answering(listing(*[item] * 10_000))) is None
    assert await outcome(answering(listing(*[item] * 10_001))) == "invalid_response"


async def test_the_log_and_the_page_show_no_control_characters_of_an_error() -> None:
    body = json.dumps({"message": "\x1b[2J\x07<b>bold</b>\r\nSet-Cookie: x"}).encode()
    harness = answering(body, status=400, headers=[(b"x-request-id", b"\x1b[2Jid")])
    assert await outcome(harness) == "bad_request"
    failure = str(harness.state.refreshes["api_keys"].failure)
    assert failure.isprintable()


@pytest.mark.parametrize(
    "value",
    [
        rb'"cut \ud83d"',
        b'"latin-1 \xe9"',
        b'"line\nbreak"',
        rb'"C:\work"',
        b"NaN",
        b"1e999",
        b"9" * 5000,
        b"[" * 100_000 + b"]" * 100_000,
        b"7",
        b"true",
        b'{"text": "a"}',
    ],
    ids=lambda value: ascii(value)[:20],
)
@pytest.mark.parametrize("member", ["description", "display_name", "expires_at", "unknown"])
async def test_one_unreadable_value_costs_no_key(value: bytes, member: str) -> None:
    harness = answering(
        b'{"data": [{"id": "A", "spec": {"owner": {"id": "sa-1"}, "%b": %b}},'
        b' {"id": "B", "spec": {"owner": {"id": "sa-1"}}}], "metadata": {}}'
        % (member.encode(), value)
    )
    assert await outcome(harness) is None
    assert harness.values("confluent_cloud_owner_api_keys", "owner_id") == {"sa-1": 2}
    assert harness.value("confluent_cloud_exporter_unreadable_items") == 0


async def test_an_unusable_crn_costs_no_key() -> None:
    longest = b"a" * 5000
    harness = answering(
        b'{"data": [{"id": "A", "spec": {"resource": {"id": "lkc-1", "resource_name": "%b"}}},'
        b' {"id": "B", "spec": {"resource": {"id": "lkc-1", "resource_name": 7}}}], "metadata": {}}'
        % longest
    )
    assert await outcome(harness) is None
    assert harness.values("confluent_cloud_resource_api_keys", "resource_id") == {"lkc-1": 2}


async def test_keys_whose_ids_are_broken_are_counted_as_unreadable_and_not_as_one() -> None:
    harness = answering(
        rb'{"data": [{"id": "A\ud83d", "spec": {}}, {"id": "A\ud83e", "spec": {}},'
        rb' {"id": "B", "spec": {}}], "metadata": {}}'
    )
    assert await outcome(harness) is None
    assert harness.value(TOTAL) == 1
    assert harness.value("confluent_cloud_exporter_unreadable_items") == 2


async def test_a_broken_page_token_is_not_sent() -> None:
    harness = answering(rb'{"data": [], "metadata": {"next": "?page_token=a\ud83d"}}')
    assert await outcome(harness) == "pagination"


async def test_a_page_in_several_gzip_members_is_read() -> None:
    harness = answering(
        gzip.compress(b'{"data": [{"id": "A", "spec": {}}') + gzip.compress(b'], "metadata": {}}'),
        headers=[(b"Content-Encoding", b"gzip")],
    )
    assert await outcome(harness) is None
    assert harness.value(TOTAL) == 1


async def test_a_link_of_four_megabytes_stalls_nothing() -> None:
    harness = answering(
        b'{"data": [], "metadata": {"next": "?' + b"a=b&" * 1_000_000 + b'page_token=t"}}'
    )
    began = time.process_time()
    assert await outcome(harness) == "pagination"
    assert time.process_time() - began < 0.5  # more than 1 s if the link is parsed
