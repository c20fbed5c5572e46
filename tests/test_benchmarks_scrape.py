"""The load generator and the yardsticks of the scrape benchmarks, and a glance at each section."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import many, scrape, serving
from benchmarks.lag import Collections, Longest, WatchedSelector
from benchmarks.library import Families
from benchmarks.measure import PYTHON, Spread, configuration, exporter, running, upstream
from benchmarks.report import Glance, Row
from benchmarks.scrapers import Head, Load, percentile, read_head
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


@pytest.mark.integration
def test_connections_are_kept_and_every_byte_of_a_body_is_awaited() -> None:
    with answering(KEPT[:20], KEPT[20:40], KEPT[40:], close=False) as (url, counts):
        seen = asyncio.run(load(url, connections=3, seconds=0.1))
    assert len(counts) == 3
    assert seen.requests == sum(counts) > 3
    assert seen.bytes == 4 * seen.requests
    assert seen.size == 4
    assert 0 < seen.p50 <= seen.p99 <= seen.most < 1


@pytest.mark.integration
def test_a_server_that_closes_is_connected_to_anew() -> None:
    with answering(CLOSED, close=True) as (url, counts):
        seen = asyncio.run(load(url, connections=2, seconds=0.1))
    assert set(counts) == {1}
    assert len(counts) == seen.requests > 2


@pytest.mark.integration
def test_a_body_that_is_cut_short_is_an_error() -> None:
    with (
        answering(KEPT[:-1], close=True) as (url, _),
        pytest.raises(ExceptionGroup) as caught,
    ):
        asyncio.run(load(url, connections=1, seconds=0.1))
    assert caught.group_contains(ValueError, match="closed the connection within an answer")


@pytest.mark.integration
def test_a_rate_is_kept_by_all_connections_together() -> None:
    with answering(KEPT, close=False) as (url, counts):
        seen = asyncio.run(load(url, connections=4, seconds=0.195, rate=100))
    assert counts == [5, 5, 5, 5]
    assert seen.requests == 20


@pytest.mark.integration
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


@pytest.mark.integration
def test_the_library_serves_the_samples_that_the_exporter_does(tmp_path: Path) -> None:
    file = tmp_path / "exposition"
    with upstream(100) as api, exporter(configuration(api.found)) as process:
        serving.wait_until_ready(process.found)
        plain = serving.body(process.found, encoding="identity")
    file.write_bytes(plain)
    command = (PYTHON, "-m", "benchmarks.library", str(file))
    with running(*command, ready=r"(http://\S+)") as library:
        theirs = gzip.decompress(serving.body(library.found, encoding="gzip"))
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


def test_the_watch_sees_how_long_a_garbage_collection_took() -> None:
    longest = Longest()
    watch = Collections(longest)
    gc.callbacks.append(watch)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(watch)
    assert 0 < longest.collection < 5
    longest.settle(0, None)
    assert longest.collection == 0


@pytest.mark.integration
def test_the_scrape_section_has_a_glance_at_every_combination() -> None:
    found = list(scrape.rows(quick=True))
    rows = [row for row in found if isinstance(row, Row)]
    assert [(row.figure, row.yardstick, row.goal) for row in rows] == [
        ("scrapes", "start_http_server", "≥ 200 ×"),  # noqa: RUF001 # it is times
        ("scrapes", "bare uvicorn", "≥ 0.3 ×"),  # noqa: RUF001
        ("p99", "", "≤ 100 ms"),
        ("longest", "", ""),
        ("CPU of the simulator", "the exporter's", ""),
    ]
    assert {row.section for row in rows} == {"scrape"}
    assert all(row.value.least > 0 for row in rows)
    glances = [glance for glance in found if isinstance(glance, Glance)]
    assert [(each.state, each.encoding, each.scrapers) for each in glances] == [
        (state, encoding, scrapers)
        for state in ("idle", "refreshing")
        for encoding in ("gzip", "identity")
        for scrapers in (1, 4, 16)
    ]
    assert {each.series for each in glances} == {100}
    assert all(each.requests_per_second > 0 for each in glances)
    assert all(0 < each.p50_seconds <= each.p99_seconds for each in glances)
    sizes = [each.bytes for each in glances]
    assert max(sizes[:3]) < min(sizes[3:6])


def seen(*, memory: float = 50.0, longest: float = 0.0, refreshed: int = 2) -> many.Seen:
    """What one process was like, with its longest scrape in seconds."""
    load = Load(requests=1, seconds=1.0, bytes=1, p50=0.0, p99=0.0, most=longest)
    return many.Seen(
        first=1.0,
        memory=memory,
        load=load,
        blocked=Longest(),
        refreshed=refreshed,
        cpu=1.0,
        simulator=0.5,
    )


@pytest.mark.parametrize(
    ("longest", "reached"), [((0.02, 0.4, 0.1), True), ((0.101, 0.02, 0.4), False)]
)
def test_the_longest_scrape_is_judged_by_the_median_of_the_repeats(
    *, longest: tuple[float, float, float], reached: bool
) -> None:
    rows = many.rows_of(2, [seen(longest=each) for each in longest])
    (row,) = [row for row in rows if row.figure == "longest scrape"]
    assert (row.value.least, row.value.most, row.reached) == (20, 400, reached)


@pytest.mark.parametrize(("refreshed", "reached"), [((2, 2), True), ((2, 1), False)])
def test_an_organization_that_was_not_refreshed_meanwhile_is_a_goal_missed(
    *, refreshed: tuple[int, int], reached: bool
) -> None:
    rows = many.rows_of(2, [seen(refreshed=each) for each in refreshed])
    (row,) = [row for row in rows if row.figure == "refreshed meanwhile"]
    assert (row.goal, row.reached) == ("all", reached)


def test_the_memory_of_one_more_organization_is_compared_repeat_by_repeat() -> None:
    few = [seen(memory=memory) for memory in (50.0, 60.0, 52.0)]
    most = [seen(memory=memory) for memory in (90.0, 104.0, 88.0)]
    # (90 - 50) ÷ 40, (104 - 60) ÷ 40 and (88 - 52) ÷ 40
    assert many.memory_of_each({2: few, 42: most}).value == Spread(1.0, 0.9, 1.1)


@pytest.mark.integration
def test_the_section_of_many_has_each_number_of_organizations() -> None:
    rows = list(many.rows(quick=True))
    assert (rows[0].of, rows[0].figure) == ("one more organization, 1 to 3", "memory")
    assert [row.of for row in rows[1:]] == ["1 organization"] * 9 + ["3 organizations"] * 9
    assert len([row for row in rows if row.goal]) == 1 + 2 * 4
    for row in rows:
        if row.figure == "refreshed meanwhile":
            assert row.reached is True
            assert row.value.median == int(row.of[0])
        else:
            assert 0 < row.value.least <= row.value.median <= row.value.most
    blocked = {row.of: row.value.least for row in rows if "block" in row.figure}
    assert blocked["3 organizations"] > 0
