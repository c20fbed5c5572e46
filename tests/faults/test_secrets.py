"""No fault brings a credential to light."""

from __future__ import annotations

import base64
import pprint
import re
import traceback
from typing import TYPE_CHECKING, Literal

import httpx
import pytest

from exporter import logs
from exporter.confluent.endpoints import API_KEYS
from exporter.confluent.listing import pages
from exporter.errors import ExporterError
from exporter.exposition import Format
from exporter.simulator import FAULTS, IDENTITY_PROVIDER_PATH, STS_PATH, parse_fault
from tests.harness import API_KEY, Harness
from tests.logged import captured
from tests.pools import CLIENT_SECRET, PoolHarness
from tests.web.browser import page_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "cflt" + "Zz9+/" * 12
LOOKS_LIKE_A_SECRET = re.compile(r"cflt[A-Za-z0-9+/]{60}")
SPECS = sorted({*FAULTS, "redirect:foreign", "slow:1h"})


@pytest.fixture(autouse=True)
def _logs_as_in_life(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    with captured(capsys):
        logs.set_up(level="debug")
        yield


def leaks(text: str) -> list[str]:
    pair = base64.b64encode(f"{API_KEY}:{SECRET}".encode()).decode()
    alone = base64.b64encode(SECRET.encode()).decode()
    found = [known for known in (SECRET, SECRET[4:], pair, alone, API_KEY) if known in text]
    return found + LOOKS_LIKE_A_SECRET.findall(text)


def test_the_search_finds_what_it_looks_for() -> None:
    assert len(leaks(f"x {SECRET} y")) == 3
    assert leaks(str(httpx.BasicAuth(API_KEY, SECRET)._auth_header))


@pytest.mark.parametrize("spec", SPECS)
async def test_nothing_that_a_fault_produces_holds_a_credential(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = Harness(25, settings="page_size: 10", faults=[parse_fault(spec)])
    harness.environ["SECRET"] = SECRET
    harness.accounts[0].api_secret = SECRET
    await harness.exporter.refresh_once()

    texts = await texts_of(harness, capsys)
    assert texts["log"]
    assert {name: leaks(text) for name, text in texts.items() if leaks(text)} == {}


@pytest.mark.parametrize("subject", ["file", "client"])
@pytest.mark.parametrize(
    "spec",
    [
        *(f"{spec}@{path}" for path in (STS_PATH, IDENTITY_PROVIDER_PATH) for spec in SPECS),
        f"revoked@{API_KEYS.endpoint}",
        f"401@{API_KEYS.endpoint}",
    ],
)
async def test_nothing_that_a_fault_produces_holds_a_token(
    spec: str,
    subject: Literal["file", "client"],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harness = PoolHarness(tmp_path, subject=subject, faults=[parse_fault(spec)])
    wire = harness.wire = TokensOnTheWire(harness.wire)
    harness.configured()
    await harness.exporter.refresh_once()
    texts = await texts_of(harness, capsys)
    assert texts["log"]
    hidden = {CLIENT_SECRET, *wire.parts}
    assert {name for name, text in texts.items() if any(part in text for part in hidden)} == set()


class TokensOnTheWire(httpx.AsyncBaseTransport):
    """Remembers the claims and signatures of all tokens that are sent in either direction."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.parts: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._remember(request.headers.get("authorization", "") + request.content.decode())
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        self._remember(body.decode("latin-1"))
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    def _remember(self, text: str) -> None:
        for token in re.findall(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", text):
            self.parts.update(token.split(".")[1:])


def test_the_wire_finds_tokens_in_a_form_and_in_json() -> None:
    wire = TokensOnTheWire(httpx.MockTransport(lambda _: httpx.Response(200)))
    wire._remember('a=1&t=eyJ9.eyJ1.sig-1&{"t": "eyJ9.eyJ2.sig_2"}')
    assert wire.parts == {"eyJ1", "eyJ2", "sig-1", "sig_2"}


async def texts_of(harness: Harness, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return everything that people and programs may see."""
    texts = {
        "text": harness.exposition(),
        "openmetrics": harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode(),
        "page": await page_of(harness),
        "check": harness.described(),
        "state": repr(harness.state) + pprint.pformat(harness.state),
        "configuration": repr(harness.config) + str(harness.config.organizations[0].credentials),
        "client": repr([vars(host) for _, host in harness.exporter.hosts()]),
        "credentials": repr([vars(host._credentials) for _, host in harness.exporter.hosts()]),
        "traceback": await traceback_of(harness),
    }
    logs.flush()
    texts["output"], texts["log"] = capsys.readouterr()
    return texts


async def traceback_of(harness: Harness) -> str:
    """Return the whole traceback, causes included, of a walk through the listing."""
    ((organization, host),) = harness.exporter.hosts()
    budget = await host.begin(timeout=300)
    try:
        async for _ in pages(host, API_KEYS, {}, budget, page_size=100):
            pass
    except ExporterError as error:
        return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    return repr(organization) + repr(budget)
