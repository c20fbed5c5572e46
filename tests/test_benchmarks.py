"""The benchmarks: table, goals, instruments, and a tiny run of each section."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import socket
import ssl
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import refresh, thousand
from benchmarks.fetch import SECRET
from benchmarks.guess import guess
from benchmarks.lag import Longest, WatchedSelector
from benchmarks.load import percentile, scrape
from benchmarks.report import Row, as_json, facts, table, verdict
from benchmarks.upstream import application
from benchmarks.yardsticks import Families
from tests.web.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

REACHED = Row(
    "1,000 keys",
    "CPU",
    [0.625, 1.25, 0.5],
    "s",
    section="refresh",
    yardstick="bare loop",
    beside=[0.0625, 0.05, 0.04],
    most=12.5,
)
MISSED = Row("1 organization", "refreshed", [1250], section="many", exactly=0)


def shown(*rows: Row) -> list[str]:
    """The lines of the table where no terminal says how wide it is."""
    console = Console(file=StringIO(), width=80)
    console.print(table(rows))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


# Goals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "expected", "reached"),
    [
        ({}, "", None),
        ({"most": 2.0}, "≤ 2 ×", True),  # noqa: RUF001 # it is times
        ({"most": 1.9}, "≤ 1.9 ×", False),  # noqa: RUF001
        ({"least": 2.0}, "≥ 2 ×", True),  # noqa: RUF001
        ({"least": 2.1}, "≥ 2.1 ×", False),  # noqa: RUF001
        ({"within": 5.0}, "≤ 5 s", True),
        ({"within": 4.9}, "≤ 4.9 s", False),
        ({"more": 3.0}, "≤ 3 s more", True),
        ({"more": 2.9}, "≤ 2.9 s more", False),
        ({"exactly": 5.0}, "= 5", False),
    ],
)
def test_a_goal_is_for_the_median(
    *, goal: dict[str, float], expected: str, reached: bool | None
) -> None:
    # The ratios are 1.5, 2 and 2.5: a machine that is slow in one repeat is slow for both. The
    # differences are 1, 6 and 3.
    row = Row("", "", [3, 12, 5], "s", yardstick="loop", beside=[2, 6, 2], **goal)  # type: ignore[arg-type] # floats
    assert (row.goal, row.reached) == (expected, reached)


def test_every_value_must_equal_an_exact_goal() -> None:
    assert Row("", "requests", [10, 10], exactly=10).reached is True
    assert Row("", "requests", [10, 11, 10], exactly=10).reached is False


def test_each_repeat_needs_a_value_of_the_yardstick() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _ = Row("", "CPU", [3, 12], yardstick="loop", beside=[2]).ratios


def test_the_verdict_names_each_missed_goal() -> None:
    slow = replace(REACHED, most=1.5)
    assert verdict([REACHED, MISSED, replace(REACHED, most=None), slow]).splitlines() == [
        "missed: many, 1 organization, refreshed: = 0",
        "missed: refresh, 1,000 keys, CPU beside bare loop: ≤ 1.5 ×",  # noqa: RUF001 # it is times
    ]
    assert verdict([REACHED, replace(REACHED, most=None), REACHED]) == "all 2 goals are reached"


# Table and command -------------------------------------------------------------------------------


def test_the_table_shows_medians_and_below_them_the_extremes() -> None:
    head, below_head, _, heading, medians, extremes, *others = shown(REACHED, REACHED, MISSED)
    assert cells(head) == ["figure", "value", "yardstick", "ratio", "goal"]
    assert cells(below_head) == ["beside its yardstick", "least…most", "least…most", "least…most"]
    assert heading.rstrip() == "REFRESH: 1,000 keys"
    assert cells(medians) == ["CPU", "0.625 s", "0.05 s", "12.5", "≤ 12.5 × ✓"]  # noqa: RUF001
    assert cells(extremes) == ["beside bare loop", "0.5…1.25", "0.04…0.0625", "10…25"]
    *_, blank, heading, missed = others
    assert (blank.strip(), heading.rstrip()) == ("", "MANY: 1 organization")
    assert cells(missed) == ["refreshed", "1,250", "= 0 ✗"]


def test_the_extremes_of_a_ratio_fit_on_one_line() -> None:
    row = replace(REACHED, values=[0.8341, 0.9988, 9.9876], beside=[1, 1, 1])
    *_, medians, extremes = shown(row)
    assert (cells(medians)[3], cells(extremes)[-1]) == ("1", "0.83…9.99")


def test_less_than_a_tenth_of_a_second_is_shown_in_milliseconds() -> None:
    assert cells(shown(Row("", "CPU", [0.0625], "s"))[-1]) == ["CPU", "62.5 ms"]


def test_the_table_wraps_long_texts_and_cuts_nothing_off() -> None:
    figure = "CPU per further key, 10,000 to 100,000 keys and one more"
    values = [123_456_789, 100_000_000, 200_000_000]
    yardstick = "the loop with json.loads"
    row = Row("", figure, values, "µs", yardstick=yardstick, beside=values, within=1e9)
    text = "\n".join(shown(row))
    assert max(map(len, text.splitlines())) <= 80
    assert set(f"{figure} beside {yardstick} 123,456,789 µs".split()) <= set(text.split())


def run(monkeypatch: pytest.MonkeyPatch, rows: list[Row], *arguments: str) -> int:
    """Run the command with one section, which returns ``rows``."""
    section = SimpleNamespace(rows=lambda *, quick: rows if quick else [])
    monkeypatch.setitem(sys.modules, "benchmarks.many", section)
    monkeypatch.setenv("COLUMNS", "80")
    return command.main(["--quick", "--only=many", *arguments])


@pytest.mark.parametrize(
    ("rows", "check", "code"),
    [([REACHED, MISSED], ["--check"], 1), ([REACHED, MISSED], [], 0), ([REACHED], ["--check"], 0)],
)
@pytest.mark.integration
def test_a_missed_goal_is_reported_and_fails_a_run_with_check(
    *,
    rows: list[Row],
    check: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "new" / "bench.json"
    assert run(monkeypatch, rows, f"--output={output}", *check) == code
    rows = [replace(row, section="many") for row in rows]
    printed = capsys.readouterr()
    assert printed.err.endswith(f"\nwritten to {output}\n{verdict(rows)}\n")
    assert printed.out.splitlines()[-len(shown(*rows)) :] == shown(*rows)
    written = json.loads(output.read_text())
    assert (written["facts"]["sections"], written["facts"]["quick"]) == ("many", True)
    assert written["rows"] == json.loads(as_json(rows, {}))["rows"]


def test_the_json_has_the_values_the_ratios_and_the_goal() -> None:
    (row,) = json.loads(as_json([replace(REACHED, values=[0.5], beside=[0.25])], {}))["rows"]
    assert row == {
        "section": "refresh",
        "of": "1,000 keys",
        "figure": "CPU",
        "values": [0.5],
        "unit": "s",
        "yardstick": "bare loop",
        "beside": [0.25],
        "ratios": [2.0],
        "within": None,
        "most": 12.5,
        "least": None,
        "more": None,
        "exactly": None,
        "goal": "≤ 12.5 ×",  # noqa: RUF001 # it is times
        "reached": True,
    }


def test_an_output_that_cannot_be_written_is_refused_before_the_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, [], f"--output={tmp_path / 'file' / 'bench.json'}")
    printed = capsys.readouterr().err
    assert f"cannot write {tmp_path / 'file' / 'bench.json'}: File exists" in printed
    assert "took" not in printed


@pytest.mark.integration
def test_the_facts_are_the_machine_the_versions_and_the_commit() -> None:
    names = {"cores", "cpu", "memory_mib", "kernel", "python", "commit", "date"}
    assert facts().keys() == names | {"uvicorn", "httpx", "prometheus-client", "msgspec"}


# Instruments -------------------------------------------------------------------------------------


def requests_on(connection: socket.socket, *, most: int | None) -> Iterator[bytes]:
    """Yield the requests until there is another after ``most``, or the client is gone."""
    for number in itertools.count():
        request = connection.recv(4096)
        if not request or number == most:
            return
        yield request


@contextmanager
def answering(
    *parts: bytes,
    close: bool = False,
    delay: float = 0,
    tls: ssl.SSLContext | None = None,
    received: list[bytes] | None = None,
    requests: int | None = None,
) -> Iterator[str]:
    """Answer each request on one connection after the other, with one send for each part.

    ``requests``: how many are answered on a connection before it is closed.
    """

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            if tls:
                try:
                    connection = tls.wrap_socket(connection, server_side=True)
                except OSError:  # the client does not trust the certificate
                    continue
            with connection:
                stopped.wait(delay)
                for request in requests_on(connection, most=requests):
                    if received is not None:
                        received.append(request)
                    for part in parts:
                        connection.sendall(part)
                    if close:
                        break

    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.getsockname()[1]}/metrics"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


@pytest.mark.parametrize(
    ("parts", "close"),
    [
        ((KEPT[:20], KEPT[20:40], KEPT[40:]), False),
        ((b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody",), True),
        ((KEPT.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),), True),
    ],
)
@pytest.mark.integration
def test_the_load_generator_reads_whole_bodies(*, parts: tuple[bytes, ...], close: bool) -> None:
    with answering(*parts, close=close) as url:
        seen = asyncio.run(scrape(url, connections=1, seconds=0.05, encoding="gzip"))
    assert seen.size == 4
    assert seen.rate > 20
    assert 0 < seen.p99 <= seen.most < 1


@pytest.mark.integration
def test_the_load_generator_verifies_a_server_over_tls_and_logs_in(tmp_path: Path) -> None:
    authority, received = Authority(tmp_path), list[bytes]()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.server())
    with answering(KEPT[:20], KEPT[20:], tls=context, received=received) as url:
        load = partial(scrape, url, connections=1, seconds=0.05, encoding="gzip", user="a:b")
        assert asyncio.run(load(ca=str(authority.certificate))).size == 4
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(load())
    assert caught.group_contains(ssl.SSLCertVerificationError)
    assert all(b"\r\nAuthorization: Basic YTpi\r\n" in each for each in received)


@pytest.mark.integration
def test_each_guess_is_another_wrong_password(capsys: pytest.CaptureFixture[str]) -> None:
    received: list[bytes] = []
    rejected = KEPT.replace(b"200 OK", b"401 Unauthorized")
    with (
        answering(rejected, received=received, requests=250) as url,
        pytest.raises(ExceptionGroup, match="unhandled") as caught,
    ):
        asyncio.run(guess(url, user="prometheus", connections=1))
    assert caught.group_contains(ValueError, match="closed the connection")
    first, *numbers = capsys.readouterr().out.splitlines()
    assert first == url
    assert numbers == ["100", "200"]
    found = [re.search(rb"\r\nAuthorization: Basic (\S+)\r\n", each) for each in received]
    guesses = {base64.b64decode(each[1]) for each in found if each}
    assert len(guesses) == len(received) == 250
    assert {each.partition(b":")[0] for each in guesses} == {b"prometheus"}


@pytest.mark.integration
def test_a_password_that_is_not_rejected_is_an_error() -> None:
    with answering(KEPT) as url, pytest.raises(ExceptionGroup) as caught:
        asyncio.run(guess(url, user="prometheus", connections=1))
    assert caught.group_contains(ValueError, match="unusable answer: 'HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (KEPT[:-1], "closed the connection within an answer"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "unusable answer: 'HTTP/1.1 503"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "unusable answer"),
    ],
)
@pytest.mark.integration
def test_an_answer_that_cannot_be_measured_is_an_error(answer: bytes, error: str) -> None:
    with answering(answer, close=True) as url, pytest.raises(ExceptionGroup) as caught:
        asyncio.run(scrape(url, connections=1, seconds=0.05, encoding="gzip"))
    assert caught.group_contains(ValueError, match=error)


@pytest.mark.integration
def test_latencies_count_from_when_a_request_was_due() -> None:
    with answering(KEPT, delay=0.2) as url:
        seen = asyncio.run(scrape(url, connections=1, seconds=0.19, encoding="gzip", rate=50))
    # 10 requests, due at 0, 20, …, 180 ms, all of them answered after 200 ms.
    assert 10 / 0.5 < seen.rate <= 10 / 0.2
    assert seen.most >= 0.19


def test_a_percentile_is_the_nearest_rank() -> None:
    assert percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 102)], 0.99) == 100.0


def test_the_watch_sees_how_long_the_loop_was_blocked_but_not_how_long_it_was_idle() -> None:
    longest, never = Longest(), threading.Event()
    loop = asyncio.SelectorEventLoop(WatchedSelector(longest))
    try:
        loop.call_soon(lambda: never.wait(0.06))
        loop.run_until_complete(asyncio.sleep(0.01))
        assert 0.06 <= longest.overall < 0.5
        longest.reset(0, None)
        loop.run_until_complete(asyncio.sleep(0.06))
        assert longest.steady < 0.05
        assert longest.overall >= 0.06
    finally:
        loop.close()


def test_the_library_writes_the_families_that_it_was_given() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families('# HELP a_total A.\n# TYPE a_total counter\na_total{b="c"} 1.0\n'))
    assert b'\na_total{b="c"} 1.0\n' in generate_latest(registry)


EXPORTER, LOOP = "confluent-api-keys-exporter/0.1.0", "python-httpx/0.28.1"


class Page(msgspec.Struct):
    """A body; each item is its unparsed bytes."""

    metadata: dict[str, str]
    data: list[msgspec.Raw]


async def pages(app: ASGIApp, agent: str, api_key: str = "KEY0") -> list[bytes]:
    """Return the bodies of all pages that ``agent`` fetches."""
    bodies, params = [], {"page_size": "100"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1",
        auth=(api_key, SECRET),
        headers={"User-Agent": agent},
    ) as client:
        while True:
            bodies.append((await client.get("/iam/v2/api-keys", params=params)).content)
            following = msgspec.json.decode(bodies[-1], type=Page).metadata.get("next")
            if not following:
                return bodies
            params["page_token"] = httpx.URL(following).params["page_token"]


def items(bodies: list[bytes]) -> set[bytes]:
    return {bytes(item) for body in bodies for item in msgspec.json.decode(body, type=Page).data}


def test_between_two_refreshes_of_the_exporter_alone_keys_change_on_every_page() -> None:
    async def walks() -> list[list[bytes]]:
        app = await application(keys=300, organizations=2, churning=True)
        agents = (LOOP, EXPORTER, LOOP, EXPORTER, LOOP, EXPORTER)
        return [
            *[await pages(app, agent) for agent in agents],
            await pages(app, EXPORTER, api_key="KEY1"),
            await pages(app, LOOP, api_key="KEY1"),
        ]

    loop, first, loop_again, second, loop_once_more, third, other, other_loop = asyncio.run(walks())
    assert loop == loop_again == loop_once_more == first == third
    assert other == other_loop != first
    assert [len(msgspec.json.decode(page, type=Page).data) for page in second] == [100] * 3
    assert not set(first) & set(second)
    assert len(items(first) & items(second)) == 300 - 10


def test_without_churn_every_refresh_finds_the_same_pages() -> None:
    async def walks() -> list[list[bytes]]:
        app = await application(keys=100)
        return [await pages(app, EXPORTER) for _ in range(2)]

    first, second = asyncio.run(walks())
    assert first == second


# Sections ----------------------------------------------------------------------------------------

_IDLE, _BUSY = "100 series, idle, 4 scrapers", "100 series, refreshing, gzip, 50 scrapes/s"
_OF_200_KEYS = [
    ("200 keys", "wall beside bare httpx loop", ""),
    ("200 keys", "CPU beside bare httpx loop", ""),
    ("200 keys", "CPU beside json.loads loop", ""),
    ("200 keys", "requests", "= 2"),
]
_EXPECTED = {
    "start": [
        ("1,000 keys", "until /metrics is ready beside python -c pass", "≤ 1 s"),
        ("imports of run", "modules of other commands", "= 0"),
    ],
    "scrape": [
        (_IDLE, "scrapes, gzip beside start_http_server", "≥ 200 ×"),  # noqa: RUF001 # it is times
        (_IDLE, "scrapes, gzip beside bare uvicorn", "≥ 0.3 ×"),  # noqa: RUF001
        ("100 series, idle, 1 scraper", "uncompressed scrape", ""),
        ("100 series, idle, 1 scraper", "its size", ""),
        (_BUSY, "p99", "≤ 100 ms"),
    ],
    "web": [
        (
            "50 series, idle, 4 scrapers",
            "scrapes over TLS, gzip beside the same user without TLS",
            "≥ 0.8 ×",  # noqa: RUF001
        ),
        (
            "50 series, idle, 4 scrapers",
            "scrapes over TLS, gzip beside no web configuration",
            "",
        ),
        (
            "50 series, idle, 4 scrapers",
            "CPU of a scrape over TLS beside the same user without TLS",
            "",
        ),
        (
            "50 series, idle, 4 scrapers",
            "CPU of a scrape by the same user beside no web configuration",
            "≤ 0.2 ms more",
        ),
        (
            "50 series, idle, gzip, 50 scrapes/s by a user",
            "p50 while another client guesses passwords beside nobody else",
            "",
        ),
        (
            "50 series, idle, gzip, 50 scrapes/s by a user",
            "p99 while another client guesses passwords beside nobody else",
            "≤ 100 ms",
        ),
        ("50 series, idle, gzip, 50 scrapes/s by a user", "wrong passwords answered", ""),
        (
            "50 series, idle, gzip, 50 scrapes/s by a user",
            "wrong passwords compared with bcrypt",
            "",
        ),
    ],
    "refresh": [
        *_OF_200_KEYS,
        ("memory, 200 keys, … pairs", "peak, refresh 1", "≤ 200 MiB"),
        *[(f"{of}, keys created and deleted", *others) for of, *others in _OF_200_KEYS],
    ],
    "many": [
        ("one more organization of 50 keys, 1 to 3", "memory", "≤ 1.5 MiB"),
        *[
            (of, figure, goal)
            for of, number in (("1 organization", 1), ("3 organizations", 3))
            for figure, goal in (
                ("longest scrape", "≤ 100 ms"),
                ("longest block of the loop", "≤ 50 ms"),
                ("the same since the start", "≤ 50 ms"),
                ("refreshed meanwhile", f"= {number}"),
            )
        ],
        *[
            ("3 organizations of 50 keys", figure, goal)
            for figure, goal in (
                ("longest scrape of the start", "≤ 100 ms"),
                ("longest scrape of refreshes", "≤ 100 ms"),
                ("longest scrape of a reload", "≤ 100 ms"),
                ("peak memory", "≤ 600 MiB"),
                ("refreshed meanwhile", "= 3"),
                ("until all are refreshed", ""),
                ("CPU of a refresh, with its share of scrapes", ""),
                ("size of a compressed scrape", ""),
                ("status page", ""),
                ("until it has stopped", ""),
            )
        ],
    ],
}


@pytest.mark.parametrize("section", command.SECTIONS)
@pytest.mark.integration
def test_a_section_measures_its_figures(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Coverage measurement would slow down the start of each process.
    for name in [name for name in os.environ if name.startswith("COVERAGE")]:
        monkeypatch.delenv(name)
    rows = list(import_module(f"benchmarks.{section}").rows(quick=True))
    found = [(re.sub(r"\d+ pairs$", "… pairs", row.of), row.name, row.goal) for row in rows]
    assert found == _EXPECTED[section]
    for row in rows:
        # The speed of this machine is unknown; counts are not.
        assert row.reached is True or not row.goal.startswith("=")
        assert min(row.values) > 0 or row.goal == "= 0"
        assert all(ratio > 0 for ratio in row.ratios)


def test_a_slope_is_compared_with_that_between_smaller_sizes() -> None:
    first, second = refresh.slopes("CPU", (0, 1_000, 3_000), [[0, 0], [0.01, 0.02], [0.04, 0.05]])
    assert (first.figure, list(first.values), first.goal) == ("CPU, 0…1,000 keys", [10, 20], "")
    assert list(second.values) == pytest.approx([15, 15])  # µs for each key
    assert second.name == "CPU, 1,000…3,000 keys beside 0…1,000 keys"
    assert list(second.ratios) == pytest.approx([1, 1])  # 15 is the median of 10 and 20
    assert second.goal == "≤ 1.25 ×"  # noqa: RUF001 # it is times


def test_the_benchmark_of_many_organizations_has_a_thousand_of_a_hundred_keys() -> None:
    """The tests run a smaller one, with the same goals."""
    assert (thousand._PLAN.organizations, thousand._PLAN.keys) == (1_000, 100)
    assert thousand._PLAN.seconds > thousand._PLAN.interval, "each of them is refreshed"
