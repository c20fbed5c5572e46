"""The README names every kind of request that the exporter sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator import IDENTITY_PROVIDER_PATH, METRICS_QUERY_PATH, STS_PATH
from tests.harness import OPTIONAL_SECTIONS, URL
from tests.pools import PoolHarness
from tests.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SENTENCE = (
    "The exporter sends only `GET` requests, `POST` requests for tokens and, with `usage.enabled`,"
    " `POST` queries that only read."
)


def test_the_readme_names_the_requests_that_are_not_get() -> None:
    assert SENTENCE in " ".join((ROOT / "README.md").read_text().split())


@pytest.mark.parametrize("usage", [True, False])
async def test_only_tokens_and_queries_are_posted(tmp_path: Path, *, usage: bool) -> None:
    enabled = [f"{each}: {{enabled: true}}" for each in OPTIONAL_SECTIONS if each != "usage"]
    is_on = "enabled: true, " if usage else ""  # off by default
    enabled.append(f"usage: {{{is_on}url: '{URL}'}}")
    harness = PoolHarness(tmp_path, subject="client", keys=60, settings=", ".join(enabled))
    async with harness.exporter.running():
        await harness.clock.sleep(7200)
    assert all(each.up for each in harness.state.refreshes.values())
    assert {each.method for each in harness.sent} == {"GET", "POST"}
    posted = {each.url.path for each in harness.sent if each.method == "POST"}
    assert posted == {STS_PATH, IDENTITY_PROVIDER_PATH, *([METRICS_QUERY_PATH] if usage else [])}
