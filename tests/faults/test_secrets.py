"""No fault brings a credential to light."""

from __future__ import annotations

import base64
import pprint
import re
import traceback
from typing import TYPE_CHECKING

import httpx
import pytest

from exporter import logs
from exporter.confluent.endpoints import API_KEYS
from exporter.confluent.listing import pages
from exporter.errors import ExporterError
from exporter.exposition import Format
from exporter.simulator import FAULTS, parse_fault
from tests.harness import API_KEY, Harness
from tests.logged import captured
from tests.web.browser import page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    texts = {
        "text": harness.exposition(),
        "openmetrics": harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode(),
        "page": await page_of(harness),
        "state": repr(harness.state) + pprint.pformat(harness.state),
        "configuration": repr(harness.config) + str(harness.config.organizations[0].credentials),
        "client": repr([vars(host) for _, host in harness.exporter.hosts()]),
        "traceback": await traceback_of(harness),
    }
    logs.flush()
    texts["output"], texts["log"] = capsys.readouterr()
    assert texts["log"]
    assert {name: leaks(text) for name, text in texts.items() if leaks(text)} == {}


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
