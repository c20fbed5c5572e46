"""The display names of API keys as labels: only if wanted, bounded, and escaped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.exposition import Format
from tests.harness import Harness
from tests.small_organization import LKC_1, LKC_2, SA_1, key

if TYPE_CHECKING:
    from collections.abc import Iterable

INFO = "confluent_cloud_api_key_info"
WANTED = "per_key_metrics: true, per_key_display_names: true"


async def refreshed(names: Iterable[str | None], *, settings: str = WANTED) -> Harness:
    """Return the harness of keys K0, K1 and so on, which have these display names."""
    keys = [key(f"K{at}", SA_1, LKC_1, days=1, display_name=name) for at, name in enumerate(names)]
    harness = Harness(keys, settings=settings)
    await harness.exporter.refresh_once()
    return harness


def names_in(harness: Harness) -> dict[str, str]:
    """Return the display names that a scrape gets, by the id of the key."""
    found = [dict(labels) for _, labels in harness.series(INFO)]
    return {each["api_key_id"]: each.get("display_name", "") for each in found}


async def test_the_name_of_each_key_is_a_label_if_wanted() -> None:
    harness = await refreshed(["payments", "", None, "Zürich 🏦"])
    expected = {"K0": "payments", "K1": "", "K2": "", "K3": "Zürich 🏦"}
    assert names_in(harness) == expected


async def test_every_resource_of_a_key_has_its_name() -> None:
    harness = Harness([key("K", SA_1, LKC_1, LKC_2, days=1, display_name="both")], settings=WANTED)
    await harness.exporter.refresh_once()
    found = {dict(labels)["resource_id"]: dict(labels) for _, labels in harness.series(INFO)}
    assert {place: each["display_name"] for place, each in found.items()} == {
        "lkc-1": "both",
        "lkc-2": "both",
    }


@pytest.mark.parametrize("settings", ["per_key_metrics: true", ""])
async def test_no_name_is_exposed_unless_wanted(settings: str) -> None:
    harness = await refreshed(["payments"], settings=settings)
    assert "payments" not in harness.exposition()
    assert set(names_in(harness).values()) <= {""}


async def test_a_long_name_is_cut_after_255_characters() -> None:
    harness = await refreshed(["é" * 255 + "x", "\\" * 300])
    assert names_in(harness) == {"K0": "é" * 255, "K1": "\\" * 255}


HOSTILE = {
    'quoted" 1\nconfluent_cloud_up{organization="acme"} 0': None,
    'a",api_key_id="FORGED': None,
    "back\\slash\\": None,
    "\\n stays two characters": None,
    "line\nfeed": None,
    "carriage\r\nreturn": None,
    "# EOF": None,
    "<script>alert(1)</script>": None,
    "{{ $labels.secret }}": None,
    "\u202eright to left": None,
    "\x1b[31mred": None,
    "nul\0": "nul\N{REPLACEMENT CHARACTER}",
    "next\x85line\u2028separator": None,
}
"""What a scrape gets for each name; None for the name itself."""


async def test_hostile_names_stay_values_of_one_label() -> None:
    harness = await refreshed(HOSTILE)
    plain = await refreshed(["plain"] * len(HOSTILE))
    assert len(harness.exposition().split("\n")) == len(plain.exposition().split("\n"))
    text = harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode()
    found = {
        sample.labels["api_key_id"]: sample.labels["display_name"]
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name == INFO
    }
    expected = {f"K{at}": instead or name for at, (name, instead) in enumerate(HOSTILE.items())}
    assert found == expected


async def test_a_renamed_key_has_its_new_name_after_the_next_refresh() -> None:
    harness = await refreshed(["old", "same"])
    renamed = replace(harness.organization.keys["K0"], display_name="new")
    harness.organization.keys.replace(renamed)
    await harness.exporter.refresh_once()
    assert names_in(harness) == {"K0": "new", "K1": "same"}


async def test_the_names_follow_the_setting_at_a_reload() -> None:
    harness = await refreshed(["payments"])
    async with harness.exporter.running():
        await harness.clock.sleep(1)
        exporter = harness.exporter
        more = "    per_key_display_names: false\n"
        await exporter.reload(harness.configured(more).config)
        harness.exporter = exporter
        assert names_in(harness) == {"K0": ""}
        await exporter.aclose()
