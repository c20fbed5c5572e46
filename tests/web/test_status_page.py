"""The status page as a person reads it, on a narrow screen too."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from exporter.confluent.credentials import TokenStatus
from exporter.inventory import POLICIES
from exporter.simulator import CLOUD, METRICS_QUERY_PATH, SimulatedKey, SimulatedOwner, parse_fault
from exporter.web.status_page import render_status_page
from exporter.web.templates import Moment, moment
from tests.harness import API_KEY, Harness
from tests.small_organization import LKC_1, SA_1, key
from tests.virtual_time import EPOCH
from tests.web.browser import browser, page_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_BREAK = "\u200b"
"""Stands for ``<wbr>``."""
_ROOM = 24
"""Characters that fit on a line beside a number at a width of 400 pixels."""


class _Page(HTMLParser):
    """The tables, links and ``meta`` elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        """The cells of each row, by the heading above the table."""
        self.facts: dict[str, tuple[str, str]] = {}
        """The text of each fact, and the class of its note, by its title."""
        self.refresh: list[str] = []
        self.icons: list[str] = []
        self._heading = self._title = self._note = ""
        self._text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        match tag:
            case "h3" | "th" | "td" | "dt":
                self._text = []
            case "dd":
                self._text, self._note = [], ""
            case "table":
                self.tables[self._heading] = []
            case "tr":
                self.tables[self._heading].append([])
            case "small":
                self._text.append(" ")
                self._note = found.get("class", "")
            case "wbr":
                self._text.append(_BREAK)
            case "meta" if found.get("http-equiv") == "refresh":
                self.refresh.append(found["content"])
            case "link" if found["rel"] == "icon":
                self.icons.append(found["href"])

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._text).split())
        if tag == "h3":
            self._heading = text
        elif tag == "dt":
            self._title = text
        elif tag == "dd":
            self.facts[self._title] = text, self._note
        elif tag in {"th", "td"}:
            self.tables[self._heading][-1].append(text)

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def labels(self, heading: str) -> Sequence[str]:
        """Return the first cell of each row, without the places where a line may break."""
        return [row[0].replace(_BREAK, "") for row in self.tables[heading]]


async def test_the_page_reloads_itself_sooner_before_the_first_refresh() -> None:
    harness = Harness(5)
    assert _Page(await page_of(harness)).refresh == ["10"]
    await harness.exporter.refresh_once()
    async with browser(harness) as client:
        response = await client.get("/")
    assert _Page(response.text).refresh == ["60"]
    assert "sandbox" not in response.headers["content-security-policy"], "it would forbid reloading"


async def test_the_icon_is_part_of_the_page_and_allowed_by_its_policy() -> None:
    async with browser(Harness(5)) as client:
        response = await client.get("/")
    (icon,) = _Page(response.text).icons
    assert icon.startswith("data:image/svg+xml,")
    assert "img-src data:;" in response.headers["content-security-policy"]


async def test_the_names_are_not_blamed_for_a_policy_that_lacks_the_activity_of_owners() -> None:
    settings = "usage: {enabled: true}, policy: {unused_for: 1d}, names: {enabled: false}"
    harness = Harness(20, settings=settings)
    harness.simulator.faults.append(parse_fault(f"403@{METRICS_QUERY_PATH}"))
    await harness.exporter.refresh_once()
    policies = _Page(await page_of(harness)).labels("Findings by policy")
    assert policies[-2:] == [
        "unknown_owner `names.enabled` is false",
        "unused_for activity is not known for this time",
    ]


async def test_every_table_has_a_label_and_a_number_and_breaks_between_words() -> None:
    harness = Harness(300, settings="names: {}, quotas: {}")
    owners = [key.owner for key in harness.organization.keys.values() if key.owner]
    user = next(owner.id for owner in owners if owner.kind == "user")
    harness.configured(f"    policy: {{exempt: {{owners: [{user}]}}}}\n")
    await harness.exporter.refresh_once()
    page = _Page(await page_of(harness))
    assert [*page.tables] == [
        "Findings by policy",
        "Owners with the most keys",
        "Oldest keys",
        "Quotas closest to their limits",
        "Latest successful refresh",
    ]
    for heading, rows in page.tables.items():
        assert {len(row) for row in rows} == {2}, heading
        pieces = [piece for label, _ in rows for piece in label.replace(_BREAK, " ").split()]
        assert max(map(len, pieces)) <= _ROOM, heading
    policies = page.labels("Findings by policy")
    enabled = [each for each in POLICIES if each != "unused_for"]
    assert [label.split()[0] for label in policies] == enabled
    assert policies[-1].endswith("not evaluated for users")
    exempt = next(label for label in policies if label.startswith("user_owned"))
    assert exempt.endswith(" exempt")


async def test_quotas_of_two_clusters_with_one_name_read_differently() -> None:
    harness = Harness(
        300, settings="names: {}, quotas: {include: ['kafka.max_api_keys.per_cluster']}"
    )
    clusters = harness.organization.clusters
    for cluster in clusters.values():
        clusters.replace(replace(cluster, name="shipping"))
    await harness.exporter.refresh_once()
    labels = _Page(await page_of(harness)).labels("Quotas closest to their limits")
    assert len(labels) == 5
    assert len(set(labels)) == 5
    for label in labels:
        quota, name, cluster_id, environment_id = label.split()
        assert (quota, name) == ("kafka.max_api_keys.per_cluster", "shipping")
        assert harness.organization.clusters[cluster_id].environment_id == environment_id


async def test_a_quota_of_an_environment_names_it() -> None:
    harness = Harness(300, settings="quotas: {include: ['kafka.max_kafka_clusters.per_env']}")
    await harness.exporter.refresh_once()
    labels = _Page(await page_of(harness)).labels("Quotas closest to their limits")
    shown = {label.split()[1] for label in labels}
    assert len(shown) == len(labels) > 1
    assert shown <= harness.organization.environments.keys()


async def test_the_oldest_keys_name_their_owners_by_name_and_id_or_say_that_there_is_none() -> None:
    harness = Harness(20, settings="names: {}")
    owner = harness.organization.entities.service_accounts[0]
    name = harness.organization.service_accounts[owner.id].display_name
    owners: list[SimulatedOwner | None] = [None, owner]
    for years, each in enumerate(owners):
        harness.organization.add(
            SimulatedKey(
                id=f"OLD{years}",
                owner=each,
                resources=(CLOUD,),
                created_at=EPOCH - (10 - years) * 365 * 86_400,
            )
        )
    await harness.exporter.refresh_once()
    page = _Page(await page_of(harness))
    assert page.labels("Oldest keys")[:2] == ["OLD0 no owner", f"OLD1 {name} {owner.id}"]
    ages = [row[1] for row in page.tables["Oldest keys"]]
    assert ages[:2] == ["3650 d", "3285 d"]


def facts_with(harness: Harness, token: TokenStatus | None) -> dict[str, tuple[str, str]]:
    """Return the facts on the page of an organization with ``token``."""
    state = replace(harness.state, token=token)
    summaries = harness.exporter.summaries(state)
    page = render_status_page(
        [(state, summaries)],
        rejected={},
        wall=harness.clock.wall(),
        telemetry_path="/metrics",
        inventory=False,
    )
    return _Page(page).facts


async def test_the_page_shows_the_identity_pool_and_when_its_token_expires() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    pool = TokenStatus("pool-1", EPOCH + 870)
    assert facts_with(harness, pool)["Identity pool"] == (
        "pool-1 token expires in 14 min 30 s",
        "",
    )
    assert "Identity pool" not in facts_with(harness, None), "it uses an API key"


@pytest.mark.parametrize(
    ("expires", "note"),
    [
        (None, "no token yet"),
        (EPOCH, "token expired 0 ms ago"),
        (EPOCH - 60, "token expired 1 min ago"),
    ],
)
async def test_a_token_that_has_run_out_is_an_error_only_if_the_latest_refresh_failed(
    expires: float | None, note: str
) -> None:
    harness = Harness(5)
    pool = TokenStatus("pool-1", expires)
    assert facts_with(harness, pool)["Identity pool"] == (f"pool-1 {note}", "")
    harness.simulator.script(1, "401")
    await harness.exporter.refresh_once()
    assert facts_with(harness, pool)["Identity pool"] == (f"pool-1 {note}", "error")


async def test_a_valid_token_is_no_error_if_the_refresh_failed_for_another_reason() -> None:
    harness = Harness(5)
    harness.simulator.script(1, "403")
    await harness.exporter.refresh_once()
    pool = TokenStatus("pool-1", EPOCH + 60)
    assert facts_with(harness, pool)["Identity pool"] == (
        "pool-1 token expires in 1 min",
        "",
    )


@pytest.mark.parametrize(
    ("expires", "note", "level"),
    [
        (None, "does not expire", ""),
        (14, "expires in 14 d", ""),
        (13.5, "expires in 13 d 12 h", "warning"),
        (3, "expires in 3 d", "warning"),
        (2, "expires in 2 d", "error"),
        (-1, "expired 1 d ago", "error"),
    ],
)
async def test_the_page_shows_the_age_and_expiry_of_the_exporters_own_key(
    expires: float | None, note: str, level: str
) -> None:
    harness = Harness([key(API_KEY, SA_1, LKC_1, days=100, expires=expires)])
    await harness.exporter.refresh_once()
    facts = _Page(await page_of(harness)).facts
    assert facts["The exporter's own key"] == (f"100 d old {note}", level)


async def test_the_page_says_nothing_about_an_own_key_that_is_not_listed() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    assert "The exporter's own key" not in _Page(await page_of(harness)).facts


def test_a_time_that_no_calendar_has_is_never() -> None:
    assert moment(1e18, now=EPOCH).at == "never"
    assert moment(EPOCH + 61, now=EPOCH) == Moment("2026-09-21 14:14:21 UTC", "in 1 min 1 s")
