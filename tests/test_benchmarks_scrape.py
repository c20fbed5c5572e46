"""The load generator and the yardsticks of the scrape benchmarks, and a glance at each section."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import many, scrape
from benchmarks.lag import Longest, WatchedSelector
from benchmarks.library import Families
from benchmarks.measure import PYTHON, configuration, exporter, running, upstream
from benchmarks.scrapers import Head, percentile, read_head
from benchmarks.scrapers import scrape as load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
CLOSED = b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody"


@contextmanager
def answering(*parts: bytes, close: bool) -> Iterator[tuple[str, list[int]]]:
    """Answer each request with ``parts``, one send each; yield the URL and requests by connection.

    ``close``: after each answer.
    """
    counts: list[int] = []

    def converse(connection: socket.socket, number: int) -> None:
        with connection:
            while connection.recv(4096):
                counts[number] += 1
                for part in parts:
                    connection.sendall(part)
                if close:
                    return

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            counts.append(0)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=converse, args=(connection, len(counts) - 1)).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/metrics", counts
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.99, 5.0),
        ([3.0, 1.0, 2.0, 4.0], 0.5, 2.0),
        ([3.0, 1.0, 2.0, 4.0], 0.51, 3.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (KEPT, Head(size=38, length=4, closes=False)),
        (CLOSED, Head(size=38, length=4, closes=True)),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            Head(size=57, length=0, closes=True),
        ),
        (KEPT[:37], None),
    ],
)
def test_a_head_says_where_its_body_ends(data: bytes, expected: Head | None) -> None:
    assert read_head(data) == expected


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
)
def test_an_answer_that_cannot_be_measured_is_an_error(head: bytes) -> None:
    with pytest.raises(ValueError, match="of no use"):
        read_head(head)


def test_connections_are_kept_and_every_byte_of_a_body_is_awaited() -> None:
    with answering(KEPT[:20], KEPT[20:40], KEPT[40:], close=False) as (url, counts):
        seen = asyncio.run(load(url, connections=3, seconds=0.1))
    assert len(counts) == 3
    assert seen.requests == sum(counts) > 3
    assert seen.bytes == 4 * seen.requests
    assert seen.size == 4
    assert 0 < seen.p50 <= seen.p99 <= seen.most < 1


def test_a_server_that_closes_is_connected_to_anew() -> None:
    with answering(CLOSED, close=True) as (url, counts):
        seen = asyncio.run(load(url, connections=2, seconds=0.1))
    assert set(counts) == {1}
    assert len(counts) == seen.requests > 2


def test_a_body_that_is_cut_short_is_an_error() -> None:
    with (
        answering(KEPT[:-1], close=True) as (url, _),
        pytest.raises(ExceptionGroup) as caught,
    ):
        asyncio.run(load(url, connections=1, seconds=0.1))
    assert caught.group_contains(ValueError, match="closed the connection within an answer")


def test_a_rate_is_kept_by_all_connections_together() -> None:
    with answering(KEPT, close=False) as (url, counts):
        seen = asyncio.run(load(url, connections=4, seconds=0.195, rate=100))
    assert counts == [5, 5, 5, 5]
    assert seen.requests == 20


def test_what_a_stuck_server_keeps_waiting_counts_from_when_it_was_due() -> None:
    stuck = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_late() -> None:
            connection, _ = server.accept()
            with connection:
                stuck.wait(0.2)
                while connection.recv(4096):
                    connection.sendall(KEPT)

        thread = threading.Thread(target=answer_late)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        seen = asyncio.run(load(url, connections=1, seconds=0.19, rate=50))
        thread.join()
    assert seen.requests == 10  # at 0, 20, …, 180 ms, all of them answered after 200 ms
    assert seen.most >= 0.19
    assert seen.p50 >= 0.09


def test_the_library_serves_the_samples_that_the_exporter_does(tmp_path: Path) -> None:
    file = tmp_path / "exposition"
    with upstream(100) as api, exporter(configuration(api.found)) as process:
        scrape.wait_until_ready(process.found)
        plain = scrape.body(process.found, encoding="identity")
    file.write_bytes(plain)
    command = (PYTHON, "-m", "benchmarks.library", str(file))
    with running(*command, ready=r"(http://\S+)") as library:
        theirs = gzip.decompress(scrape.body(library.found, encoding="gzip"))
    assert samples(theirs.decode()) == samples(plain.decode())
    assert len(samples(plain.decode())) > 300


def samples(text: str) -> list[str]:
    return sorted(
        f"{sample.name}{sorted(sample.labels.items())} {sample.value}"
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


def test_the_library_writes_what_it_was_given() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families('# HELP a_total A.\n# TYPE a_total counter\na_total{b="c"} 1.0\n'))
    assert b'\na_total{b="c"} 1.0\n' in generate_latest(registry)


def block(loop: asyncio.AbstractEventLoop, wait: Callable[[], object]) -> None:
    loop.call_soon(wait)
    loop.run_until_complete(asyncio.sleep(0.01))


def test_the_watch_sees_how_long_the_loop_was_blocked_and_not_how_long_it_was_idle() -> None:
    longest = Longest()
    loop = asyncio.SelectorEventLoop(WatchedSelector(longest))
    never = threading.Event()
    try:
        block(loop, lambda: never.wait(0.06))
        assert 0.06 <= longest.overall < 0.5
        longest.settle(0, None)
        loop.run_until_complete(asyncio.sleep(0.06))
        assert longest.steady < 0.05
        assert longest.overall >= 0.06
    finally:
        loop.close()


def test_the_scrape_section_has_a_row_for_every_combination() -> None:
    rows = list(scrape.rows(quick=True))
    goals = [row for row in rows if row.goal]
    assert [row.goal for row in goals] == ["≥ 200 ×", "≥ 0.3 ×", "≤ 100 ms"]  # noqa: RUF001
    assert [row.yardstick for row in goals] == ["start_http_server", "bare uvicorn", ""]
    for state in ("idle", "during a refresh"):
        for encoding in ("gzip", "identity"):
            for scrapers in ("1 scraper", "4 scrapers", "16 scrapers"):
                figure = f"requests, 100 series, {encoding}, {scrapers}, {state};"
                assert len([row for row in rows if row.figure.startswith(figure)]) == 1
    assert len(rows) == 3 + 1 + 12
    assert {row.section for row in rows} == {"scrape"}
    assert all(row.value.least > 0 for row in rows)


def test_the_section_of_many_has_each_number_of_organizations() -> None:
    rows = list(many.rows(quick=True))
    assert rows[0].figure == "memory of one more organization, 1 to 3"
    for size in ("1 organization", "3 organizations"):
        assert len([row for row in rows if row.figure.endswith(f", {size}")]) == 6
    assert len(rows) == 1 + 2 * 6
    assert len([row for row in rows if row.goal]) == 1 + 2 * 3
    blocked = {row.figure: row.value.most for row in rows if "block" in row.figure}
    assert blocked["longest block of the event loop, 3 organizations"] > 0
