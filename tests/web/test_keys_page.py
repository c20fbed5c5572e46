"""The page of the keys, as people with a browser use it."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from exporter.simulator import (
    CLOUD,
    SimulatedCluster,
    SimulatedKey,
    SimulatedOwner,
    SimulatedServiceAccount,
)
from tests.harness import URL, Harness, configuration
from tests.small_organization import DAY, KEYS, LKC_1, ORDER, SA_1, SURPLUS, key, small_world
from tests.virtual_time import EPOCH
from tests.web.browser import browser
from tests.web.keys import LOCAL, got, page, refreshed, shown
from tests.web.markup import Element, focusable, parsed

HOSTILE = "<script>alert('x')</script>\"'&amp;{{7*7}}\u202ecba\u2028=1+1*[?]\x1b[2J"


def cells(root: Element, api_key_id: str) -> dict[str, str]:
    for row in root.all("tr")[1:]:
        if row.all("a")[0].text == api_key_id:
            return {each.attributes["data-label"]: each.text for each in row.all("td")}
    raise LookupError(api_key_id)


def links(root: Element) -> dict[str, str]:
    """Return the addresses by text, as a browser resolves them on a page at the root."""
    return {each.text: urljoin("/", each.attributes["href"]) for each in root.all("a")}


TEAMS = """
teams: [{name: payments, resources: [lsrc-1]}, {name: orders, owners: ["sa-*"]}]
"""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("team=payments", ["E1", "C1"]),
        ("team=pay*&team=orders&owner=sa-[12]", ["A1", "E1", "A2", "A3"]),
        ("team=nobody", []),
        ("sort=team", ["A1", "A2", "A3", "E1", "C1", "D1", "B1"]),
    ],
)
async def test_keys_are_selected_and_sorted_by_team(query: str, expected: list[str]) -> None:
    harness = await refreshed(small_world().configured(TEAMS))
    assert shown(await page(harness, f"/keys?{query}")) == expected


async def test_a_team_is_shown_with_a_link_to_its_keys() -> None:
    root = await page(await refreshed(small_world().configured(TEAMS)))
    assert cells(root, "C1")["Team"] == "payments"
    assert cells(root, "B1")["Team"] == "\N{EN DASH}"
    assert links(root)["payments"] == "/keys?organization=acme&team=payments"
    assert "team" in {each.attributes.get("name") for each in root.all("input")}


async def test_without_teams_the_page_does_not_mention_them() -> None:
    root = await page(await refreshed(small_world()))
    assert "Team" not in cells(root, "A1")
    assert "team" not in {each.attributes.get("name") for each in root.all("input")}
    # An old link still shows what it filters by.
    root = await page(await refreshed(small_world()), "/keys?team=payments")
    assert "team" in {each.attributes.get("name") for each in root.all("input")}


async def test_the_rows_are_those_of_the_report_in_its_order() -> None:
    root = await page(await refreshed(small_world()))
    assert shown(root) == ORDER
    assert cells(root, "A1") == {
        "API key": "A1 a name a purpose",
        "Owner": "orders sa-1",
        "Resource": "main kafka lkc-1",
        "Environment": "prod env-1",
        "Age": "400 d 2025-08-17",
        "Expires": "never",
        "Findings": "max_ age max_ keys_ per_ owner_ and_ resource",
    }
    assert cells(root, "B1")["Expires"] == "2026-10-05 in 14 d"
    assert cells(root, "D1")["Owner"] == "no owner"
    assert cells(root, "D1")["Age"] == "unknown"
    assert cells(root, "E1")["Findings"] == "max_ age (exempt)"
    assert "7 keys" in root.text
    assert "acme: listed now 2026-09-21 14:13:20 UTC" in root.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("owner=sa-1", ["A1", "A2", "A3"]),
        ("owner=fraud*&owner=Ada+Example", ["E1", "B1"]),
        ("owner=&resource=&policy=&sort=&page=", ORDER),
        ("resource=scratch&resource=cloud", ["D1", "B1"]),
        ("resource=lkc-*&environment=dev", ["D1"]),
        ("environment=*", [each for each in ORDER if each != "B1"]),
        ("api_key=[AB]1", ["A1", "B1"]),
        ("policy=max_age", ["A1", "A2"]),  # E1 is exempt
        ("policy=expired&policy=undescribed", ["B1", "C1"]),
        ("organization=acme&policy=user_owned", ["B1"]),
        ("organization=globex", []),
        ("sort=api_key", ["A1", "A2", "A3", "B1", "C1", "D1", "E1"]),
        ("sort=-api_key", ["E1", "D1", "C1", "B1", "A3", "A2", "A1"]),
        # Keys without a value come last in both directions. Equal ones stay oldest first.
        ("sort=-age", ["A1", "E1", "A2", "B1", "C1", "A3", "D1"]),
        ("sort=age", ["A3", "C1", "B1", "A2", "E1", "A1", "D1"]),
        ("sort=expiry", ["C1", "B1", "D1", "A1", "E1", "A2", "A3"]),
        ("sort=owner", ["B1", "E1", "A1", "A2", "A3", "C1", "D1"]),  # Ada, fraud, orders, sa-9
        ("sort=-environment&owner=*", ["A1", "E1", "A2", "C1", "A3", "B1"]),
        ("sort=resource", ["B1", "C1", "A1", "E1", "A2", "A3", "D1"]),  # cloud, lsrc-1, main
        ("sort=organization", ORDER),
    ],
)
async def test_filters_and_order(query: str, expected: list[str]) -> None:
    assert shown(await page(await refreshed(small_world()), f"/keys?{query}")) == expected


async def test_every_value_links_to_the_keys_that_share_it() -> None:
    harness = await refreshed(small_world())
    found = links(await page(harness))
    expected = {
        "orders": ["A1", "A2", "A3"],
        "sa-9": ["C1"],
        "main": ["A1", "E1", "A2", "A3"],
        "dev": ["D1"],
        "user_ owned": ["B1"],
        "E1": ["E1"],
    }
    for text, keys in expected.items():
        assert shown(await page(harness, found[text])) == keys, found[text]


async def test_names_with_wildcards_and_markup_are_shown_and_linked_literally() -> None:
    keys = [
        *KEYS,
        key(f"K{HOSTILE}", SimulatedOwner("sa-[1]*", "service-account"), LKC_1, days=1,
            display_name=HOSTILE, description="x" * 2000),
        key("OTHER", SimulatedOwner("sa-1x", "service-account"), LKC_1, days=1),
    ]  # fmt: skip
    harness = small_world(keys)
    harness.organization.add(SimulatedServiceAccount("sa-[1]*", HOSTILE))
    await refreshed(harness)
    response = await got(harness)
    assert "<script" not in response.text.lower()
    assert not {"\u202e", "\u2028", "\x1b"} & set(response.text)
    root = parsed(response.text)
    (row,) = [each for each in root.all("tr") if "x" * 200 in each.text]
    api_key, owner = row.all("a")[0], row.all("a")[1]
    assert "alert('x')" in api_key.text
    assert r"\u202ecba\u2028=1+1*[?]\u001b[2J" in owner.text.replace(" ", "")
    for link in (api_key, owner):
        assert len(shown(await page(harness, urljoin("/", link.attributes["href"])))) == 1
    assert len(row.text) < 2000, "texts are cut"


async def test_the_form_has_the_filters_and_is_sent_to_the_page_itself() -> None:
    response = await got(
        await refreshed(small_world()), "/keys?owner=a%22b&owner=c&policy=max_age&sort=-age"
    )
    policy = response.headers["content-security-policy"]
    assert "form-action 'self';" in policy
    assert "default-src 'none';" in policy
    root = parsed(response.text)
    (form,) = root.all("form")
    assert (form.attributes["action"], form.attributes["method"]) == ("keys", "get")
    inputs = [
        (each.attributes["name"], each.attributes["value"])
        for each in form.all("input")
        if each.attributes.get("type") != "checkbox" or "checked" in each.attributes
    ]
    assert inputs == [
        ("organization", ""),
        ("owner", 'a"b'),
        ("owner", "c"),
        ("resource", ""),
        ("environment", ""),
        ("api_key", ""),
        ("policy", "max_age"),
        ("sort", "-age"),
    ]
    labelled = {each.attributes["for"] for each in form.all("label") if "for" in each.attributes}
    assert {each.attributes["id"] for each in form.all("input") if "id" in each.attributes} == (
        labelled
    )


async def test_a_heading_sorts_and_a_second_time_the_other_way_round() -> None:
    harness = await refreshed(small_world())
    root = await page(harness, "/keys?policy=max_age")
    assert {each.attributes["aria-sort"] for each in root.all("th")[:-1]} == {"none"}
    assert links(root)["Age"] == "/keys?policy=max_age&sort=-age"
    root = await page(harness, links(root)["Age"])
    assert [each.text for each in root.all("th", aria_sort="descending")] == ["Age ▼"]
    assert links(root)["Age"] == "/keys?policy=max_age&sort=age"
    assert links(root)["Owner"] == "/keys?policy=max_age&sort=owner"
    root = await page(harness, links(root)["Age"])
    assert [each.text for each in root.all("th", aria_sort="ascending")] == ["Age ▲"]


async def test_the_pages_show_every_key_once() -> None:
    harness = await refreshed(Harness(250))
    url, seen, titles = "/keys?sort=api_key", list[str](), list[str]()
    while url:
        root = await page(harness, url)
        seen += shown(root)
        titles += [each.text for each in root.all("span", aria_current="page")]
        url = next((each.attributes["href"] for each in root.all("a", rel="next")), "")
    assert seen == sorted(harness.organization.keys)
    assert titles == ["Page 1 of 3", "Page 2 of 3", "Page 3 of 3"]
    assert "250 keys, 201 to 250 shown" in root.text
    found = links(root)
    assert found["First"] == "/keys?sort=api_key"
    assert found["Previous"] == "/keys?sort=api_key&page=2"
    assert not {"Next", "Last"} & found.keys()
    assert found["CSV"] == "/keys.csv?sort=api_key"
    assert found["JSON"] == "/keys.json?sort=api_key"
    assert shown(await page(harness, "/keys?sort=api_key&page=99")) == shown(root), "the last one"


async def test_exactly_one_page_has_no_links_to_others() -> None:
    root = await page(await refreshed(Harness(100)))
    assert len(shown(root)) == 100
    assert not {"First", "Previous", "Next", "Last"} & links(root).keys()


async def test_the_tab_key_reaches_everything_in_the_order_of_reading() -> None:
    harness = await refreshed(small_world([KEYS[3]]))
    root = await page(harness, "/keys?sort=-age")
    policies = ["policy"] * 8
    assert focusable(root) == [
        *["Skip to the content", "Status", "Metrics", "Health", "Readiness"],
        *["organization", "owner", "resource", "environment", "api_key", *policies, "Filter"],
        *["CSV", "JSON", root.all(id="keys")[0].text],
        *["API key", "Owner", "Resource", "Environment", "Age", "Expires"],
        *["B1", "Ada Example", "cloud"],
        *["expires_ within", "undescribed", "user_ owned"],
    ]
    style = root.all("style")[0].text
    assert ":focus-visible { outline: .15rem solid" in style
    assert "outline: none" not in style
    assert "outline: 0" not in style


async def test_organizations_without_a_listing_or_with_old_data_are_named() -> None:
    harness = Harness(5, names=("acme", "globex", "initech"), settings="stale_after: 15m")
    harness.accounts[1].role = "none"
    await refreshed(harness)
    root = await page(harness)
    assert len(shown(root)) == 10
    assert "globex: not listed yet. Its keys are missing here." in root.text
    await harness.clock.sleep(899)
    assert len(shown(await page(harness))) == 10
    harness.accounts[2].role = "none"
    await refreshed(harness)  # acme is listed again
    await harness.clock.sleep(1)
    root = await page(harness)
    assert len(shown(root)) == 5
    assert "initech: listed 15 min ago, which is too old to show." in root.text
    assert "acme: listed 1 s ago" in root.text
    assert not [
        labels
        for (name, labels) in harness.series()
        if name == "confluent_cloud_api_keys" and ("organization", "initech") in labels
    ]


async def test_no_organization_or_no_key_matches() -> None:
    harness = await refreshed(small_world())
    assert (
        "No organization matches the filter." in (await page(harness, "/keys?organization=x")).text
    )
    root = await page(harness, "/keys?owner=x")
    assert "No key matches the filters." in root.text
    assert "0 keys" in root.text


async def test_keys_that_are_not_known_are_not_counted_as_none() -> None:
    harness = Harness(5, names=("acme", "globex"))
    harness.accounts[1].role = "none"
    await refreshed(harness)
    root = await page(harness, "/keys?organization=globex")
    assert "No keys to show" in root.text
    assert "0 keys" not in root.text
    assert "matches" not in root.text
    assert not {"CSV", "JSON"} & links(root).keys(), "they would be incomplete"
    root = await page(harness, "/keys?owner=x")
    assert "0 keys" in root.text
    assert "No listed key matches the filters." in root.text


async def test_the_notes_about_many_organizations_do_not_push_the_keys_off_the_screen() -> None:
    names = [f"org-{number}" for number in range(9)]
    harness = Harness(1, names=tuple(names))
    for account in harness.accounts[6:]:
        account.role = "none"
    await refreshed(harness)
    await harness.clock.sleep(60)
    root = await page(harness)
    (details,) = root.all("details")
    assert details.all("summary")[0].text == "Organizations listed (oldest: 1 min ago): 6"
    assert [each.text.partition(":")[0] for each in details.all("li")] == names[:6]
    assert [each for each in names if f"{each}: not listed yet." in root.text] == names[6:]


async def test_a_policy_that_is_not_evaluated_is_not_an_empty_list() -> None:
    harness = await refreshed(small_world(settings=""))
    text = (await page(harness, "/keys?policy=unknown_owner")).text
    assert (
        "acme: the policy unknown_owner cannot be evaluated, because the list of owners is"
        " missing or not plausible." in text
    )
    usage = f"usage: {{enabled: true, url: '{URL}'}}, policy: {{unused_for: 7d}}"
    text = (await page(await refreshed(Harness(5, settings=usage)), "/keys?policy=unused_for")).text
    assert (
        "acme: the policy unused_for cannot be evaluated, because activity is not known for its"
        " time." in text
    )
    harness = await refreshed(Harness(5, settings="policy: {max_age: null}"))
    text = (await page(harness, "/keys?policy=max_age")).text
    assert "acme: the policy max_age is disabled." in text


async def test_people_are_named_only_while_names_of_users_are_on() -> None:
    harness = await refreshed(small_world())
    assert "Ada Example" in (await got(harness)).text
    settings = "policy: {exempt: {api_keys: [E*]}}, names: {users: false}"
    async with harness.exporter.running():
        await harness.exporter.reload(configuration(settings, environ=harness.environ))
        for path in ("/keys", "/keys.csv", "/keys.json", "/keys?owner=Ada*"):
            response = await got(harness, path)
            assert response.status_code == 200
            assert "Ada E" not in response.text
            assert "orders" in response.text or "owner=" in path
        assert shown(await page(harness, "/keys?owner=Ada*")) == []


async def test_the_status_page_links_to_the_keys_that_it_counts() -> None:
    harness = await refreshed(small_world())
    async with browser(harness, base_url=LOCAL, inventory=True) as client:
        root = parsed((await client.get("/")).text)
    tables = {each.text: [*links_of(table)] for each, table in tables_of(root)}
    counts = {"max_age": 2, "expired": 1, SURPLUS: 1, "undescribed": 1}
    for policy, count in counts.items():
        url = f"/keys?organization=acme&policy={policy}"
        assert url in tables["Findings by policy"]
        assert len(shown(await page(harness, url))) == count
    assert tables["Owners with the most keys"][0] == "/keys?organization=acme&owner=sa-1"
    assert tables["Oldest keys"][0] == "/keys?organization=acme&api_key=A1"
    assert shown(await page(harness, tables["Oldest keys"][0])) == ["A1"]
    assert links(root)["Keys"] == "/keys"
    async with browser(harness) as client:
        root = parsed((await client.get("/")).text)
    assert not [each for each in links(root).values() if "/keys" in each]


async def test_no_link_leaves_the_path_that_a_reverse_proxy_adds() -> None:
    harness = await refreshed(small_world())
    async with browser(harness, inventory=True) as client:
        for path in ("/", f"{LOCAL}/keys?policy=max_age"):
            root = parsed((await client.get(path)).text)
            addresses = [each.attributes["href"] for each in root.all("a")]
            addresses += [each.attributes["action"] for each in root.all("form")]
            assert len(addresses) > 5
            for each in addresses:
                assert urljoin("https://example.com/exporter/x", each).startswith(
                    "https://example.com/exporter/"
                )


def tables_of(root: Element) -> list[tuple[Element, Element]]:
    return [
        (each.all("h3")[0], each.all("table")[0])
        for each in root.all("div")
        if each.all("h3") and len(each.all("table")) == 1
    ]


def links_of(root: Element) -> list[str]:
    return [urljoin("/", each.attributes["href"]) for each in root.all("a")]


async def test_a_cluster_and_an_owner_of_one_name_are_found_by_it() -> None:
    harness = small_world()
    harness.organization.add(
        SimulatedKey("Z1", SA_1, (CLOUD,), created_at=EPOCH - DAY, display_name="z")
    )
    harness.organization.replace(SimulatedCluster("lkc-2", "kafka", "env-2", "orders"))
    await refreshed(harness)
    assert shown(await page(harness, "/keys?resource=orders")) == ["D1"]
    assert shown(await page(harness, "/keys?owner=orders")) == ["A1", "A2", "A3", "Z1"]
