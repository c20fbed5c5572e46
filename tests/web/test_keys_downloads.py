"""The keys as CSV and JSON, and what all three routes have in common."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporter.inventory import POLICIES
from exporter.report import Selection, as_csv, as_json
from exporter.simulator import CLOUD, SimulatedCluster, SimulatedEnvironment, SimulatedOrganization
from exporter.web import Pages
from tests.harness import Harness
from tests.small_organization import (
    ADA,
    DAY,
    EXPECTED,
    GONE,
    LKC_1,
    NAMES,
    ORDER,
    SA_1,
    SA_2,
    key,
    listed,
    rows,
    small_world,
)
from tests.virtual_time import run
from tests.web.browser import browser
from tests.web.keys import LOCAL, got, page, refreshed, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message

    from exporter.simulator import SimulatedKey

PATHS = ("/keys", "/keys.csv", "/keys.json")
EVERY_POLICY = (
    "policy: {max_age: 90d, expires_within: 14d, expired: true, user_owned: true,"
    " max_keys_per_owner_and_resource: 1, undescribed: true, unknown_owner: true,"
    " exempt: {owners: [sa-2]}}"
)


async def test_the_formats_are_those_of_the_report() -> None:
    harness = small_world()
    reported = await rows(harness)
    await refreshed(harness)
    found = await got(harness, "/keys.json")
    assert found.headers["content-type"] == "application/json"
    assert found.text == as_json(reported)
    assert json.loads(found.text) == EXPECTED
    found = await got(harness, "/keys.csv")
    assert found.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert found.headers["content-disposition"] == 'attachment; filename="api-keys.csv"'
    assert found.text == as_csv(reported)


async def test_the_downloads_are_complete_and_obey_filters_and_order() -> None:
    harness = await refreshed(Harness(1234, settings=NAMES))
    found = json.loads((await got(harness, "/keys.json")).text)
    assert {each["api_key_id"] for each in found} == harness.organization.keys.keys()
    assert len(found) == 1234
    found = json.loads((await got(harness, "/keys.json?policy=max_age&sort=-api_key")).text)
    assert found
    assert all("max_age" in each["policies"] for each in found)
    ids = [each["api_key_id"] for each in found]
    assert ids == sorted(ids, reverse=True)
    lines = csv.DictReader(io.StringIO((await got(harness, "/keys.csv?policy=max_age")).text))
    assert {each["api_key_id"] for each in lines} == {*ids}


async def test_formulas_and_controls_are_escaped_in_csv() -> None:
    hostile = '=HYPERLINK("http://x")\r\n\u202e'
    harness = await refreshed(
        small_world([key("F1", SA_1, LKC_1, days=1, display_name=hostile, description="-1")])
    )
    text = (await got(harness, "/keys.csv")).text
    (line,) = csv.DictReader(io.StringIO(text, newline=""))
    assert line["display_name"] == '\'=HYPERLINK("http://x")\\r\\n\\u202e'
    assert line["description"] == "'-1"
    assert text.count("\r\n") == 2


async def test_keys_of_two_organizations_with_one_id_have_their_own_rows() -> None:
    harness = Harness([key("SAME", SA_1, LKC_1, days=100)], names=("acme", "globex"))
    harness.organizations["globex"].add(key("SAME", SA_2, CLOUD, days=1))
    await refreshed(harness)
    found = json.loads((await got(harness, "/keys.json?sort=-organization")).text)
    assert [(each["organization"], each["owner_id"], each["policies"]) for each in found] == [
        ("globex", "sa-2", []),
        ("acme", "sa-1", ["max_age"]),
    ]
    root = await page(harness, "/keys?sort=-organization")
    assert [[cell.text for cell in row.all("td")[1:3]] for row in root.all("tr")[1:]] == [
        ["globex", "sa-2"],
        ["acme", "sa-1"],
    ]
    assert len(shown(await page(harness, "/keys?policy=max_age"))) == 1


async def test_last_modified_is_the_oldest_listing_of_the_selected() -> None:
    harness = await refreshed(Harness(2, names=("acme", "globex")))
    await harness.clock.sleep(60)
    harness.accounts[1].role = "none"
    await refreshed(harness)
    for path in ("/keys.csv", "/keys.json"):
        found = await got(harness, path)
        assert found.headers["last-modified"] == "Mon, 21 Sep 2026 14:13:20 GMT"
        found = await got(harness, f"{path}?organization=acme")
        assert found.headers["last-modified"] == "Mon, 21 Sep 2026 14:14:20 GMT"


@pytest.mark.parametrize("path", ["/keys.csv", "/keys.json"])
async def test_a_list_that_would_be_incomplete_is_not_sent(path: str) -> None:
    harness = Harness(3, names=("acme", "globex"), settings="stale_after: 15m")
    harness.accounts[1].role = "none"
    await refreshed(harness)
    found = await got(harness, path)
    assert found.status_code == 503
    assert found.text == (
        "No fresh listing of globex, so the list would be incomplete. Wait for the next"
        " successful refresh (see /) or leave it out, for example with ?organization=acme.\n"
    )
    assert (await got(harness, f"{path}?organization=acme")).status_code == 200
    await harness.clock.sleep(900)
    found = await got(harness, f"{path}?organization=acme")
    assert found.status_code == 503
    assert found.text == (
        "No fresh listing of acme, so the list would be incomplete. Wait for the next"
        " successful refresh (see /).\n"
    )


async def test_the_error_suggests_a_query_that_is_accepted_and_keeps_the_filters() -> None:
    names = (*(f"org-{number}" for number in range(20)), *(f"new-{number}" for number in range(7)))
    harness = Harness(1, names=names)
    for account in harness.accounts[20:]:
        account.role = "none"
    await refreshed(harness)
    found = await got(harness, "/keys.json?owner=%2a&sort=-age")
    assert found.text.startswith(
        "No fresh listing of new-0, new-1, new-2, new-3, new-4, 2 more, so the list"
    )
    query = found.text.partition("for example with ")[2].removesuffix(".\n")
    assert query.endswith("&owner=*&sort=-age")
    found = await got(harness, f"/keys.json{query}")
    assert len(json.loads(found.text)) == 20

    harness = Harness(1, names=(*names, "another"))  # more than one query can name
    harness.accounts[20].role = "none"
    await refreshed(harness)
    text = (await got(harness, "/keys.json")).text
    assert text.endswith("Wait for the next successful refresh (see /).\n")


async def test_no_matching_organization_is_404_and_not_an_empty_list() -> None:
    harness = await refreshed(small_world())
    for path in ("/keys.json", "/keys.csv"):
        found = await got(harness, f"{path}?organization=x*")
        assert found.status_code == 404
        assert found.text == "No organization matches the filter. See /keys for those that exist.\n"


# Usage is disabled here; tests/refresh/test_usage.py compares its findings with the truth.
EVALUATED = [each for each in POLICIES if each != "unused_for"]


def violations(harness: Harness) -> dict[str, float]:
    """Return the metric that counts the violations, by policy."""
    counts: dict[str, float] = {}
    lines = [
        line
        for line in harness.exposition().splitlines(keepends=True)
        if line.startswith("confluent_cloud_api_key_policy_violations{")
    ]  # parsing all metrics would take most of the time of these tests
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            policy = sample.labels["policy"]
            counts[policy] = counts.get(policy, 0) + sample.value
    return counts


async def rows_by_policy(harness: Harness) -> dict[str, float]:
    found = {}
    for policy in EVALUATED:
        response = await got(harness, f"/keys.json?policy={policy}")
        found[policy] = float(len(json.loads(response.text)))
    return found


async def test_each_policy_has_as_many_rows_as_the_metric_counts() -> None:
    harness = await refreshed(
        Harness(800, settings=f"{EVERY_POLICY}, {NAMES}, stale_after: 30d, refresh_timeout: 5m")
    )
    before = await rows_by_policy(harness)
    assert before == violations(harness)
    assert min(before.values()) > 0
    # More keys are too old by now, but metrics and rows change only with the next refresh.
    await harness.clock.sleep(20 * DAY)
    assert await rows_by_policy(harness) == violations(harness) == before
    await refreshed(harness)
    after = await rows_by_policy(harness)
    assert after == violations(harness)
    assert after["max_age"] > before["max_age"]


_DAYS = st.integers(-1, 200).map(float)
_KEYS = st.lists(
    st.tuples(
        st.sampled_from([SA_1, SA_2, GONE, ADA, None]),
        st.sampled_from([(LKC_1,), (CLOUD,), (LKC_1, CLOUD)]),
        _DAYS,
        st.one_of(st.none(), st.integers(-20, 20).map(float)),
        st.sampled_from([None, " ", "a name"]),
    ),
    max_size=12,
)


@given(_KEYS, st.sampled_from(["true", "false"]), st.floats(0, 15))
def test_any_keys_have_as_many_rows_for_a_policy_as_the_metric_counts(
    drawn: Sequence[tuple[Any, ...]],
    users: str,
    days: float,
) -> None:
    keys: list[SimulatedKey] = [
        key(f"K{number}", owner, *resources, days=age, expires=expires, display_name=name,
            description=None)
        for number, (owner, resources, age, expires, name) in enumerate(drawn)
    ]  # fmt: skip

    async def check() -> None:
        settings = f"{EVERY_POLICY}, names: {{users: {users}}}, stale_after: 30d"
        harness = Harness(keys, settings=settings)
        organization = SimulatedOrganization([*keys, *listed()])
        harness.accounts[0].organization = organization
        for _ in range(2):  # the second time, the same keys are evaluated at another time
            await harness.exporter.refresh_once()
            counted = violations(harness)
            found = await rows_by_policy(harness)
            assert found == dict.fromkeys(EVALUATED, 0.0) | counted
            await harness.clock.sleep(days * DAY)

    run(check())


_PATTERNS = st.lists(
    st.sampled_from(["sa-*", "sa-1", "orders", "Ada*", "lkc-[12]", "*", "cloud", "main", "env-?"]),
    max_size=2,
)


@given(_PATTERNS, _PATTERNS, _PATTERNS, _PATTERNS)
def test_filters_select_the_keys_that_the_report_selects(
    owners: list[str], resources: list[str], environments: list[str], api_keys: list[str]
) -> None:
    parameters = {
        "owner": owners, "resource": resources, "environment": environments, "api_key": api_keys,
    }  # fmt: skip

    async def check() -> None:
        harness = await refreshed(small_world())
        found = await got(harness, f"/keys.json?{urlencode(parameters, doseq=True)}")
        selection = Selection(
            owners=tuple(owners),
            resources=tuple(resources),
            environments=tuple(environments),
            api_keys=tuple(api_keys),
        )
        assert found.text == as_json(selection.apply(await rows(harness)))

    run(check())


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_a_body_and_nothing_can_be_written(path: str) -> None:
    harness = await refreshed(small_world())
    async with browser(harness, base_url=LOCAL, inventory=True) as client:
        head, get = await client.head(path), await client.get(path)
        assert head.status_code == get.status_code == 200
        assert (head.content, bool(get.content)) == (b"", True)
        assert head.headers["content-type"] == get.headers["content-type"]
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert (await client.request(method, path)).status_code == 405


@pytest.mark.parametrize("path", PATHS)
async def test_keys_are_not_served_unless_the_inventory_is_enabled(path: str) -> None:
    harness = await refreshed(small_world())
    async with browser(harness, base_url=LOCAL) as client:
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", [*PATHS, "/keys?x=1", "/keys.csv?x=1"])
async def test_no_other_website_can_embed_or_store_the_keys(path: str) -> None:
    headers = (await got(await refreshed(small_world()), path)).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LocalHost:10049", True),
        ("127.0.0.1", True),
        ("127.1.2.3:80", True),
        ("[::1]", True),
        ("[::1]:10049", True),
        ("exporter", False),
        ("localhost.example.com", False),
        ("localhost:80.example.com", False),
        ("localhost@example.com", False),
        ("127.0.0.1.example.com", False),
        ("0127.0.0.1", False),
        ("127.1", False),
        ("128.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 # a header
        ("[::ffff:7f00:1]", False),
        ("[::1].example.com", False),
        ("::1", False),
        ("", False),
    ],
)
async def test_without_authentication_only_loopback_names_are_answered(
    path: str, host: str, *, allowed: bool
) -> None:
    harness = await refreshed(small_world())
    async with browser(harness, base_url=LOCAL, inventory=True) as client:
        found = await client.get(path, headers={"Host": host})
        assert found.status_code == (200 if allowed else 403)
        if not allowed:
            assert found.text.startswith("Without authentication, API keys are only shown")
            assert not [each for each in ORDER if f"{each}\n" in found.text]
    async with browser(harness, base_url=LOCAL, inventory=True, loopback_only=False) as client:
        assert (await client.get(path, headers={"Host": host})).status_code == 200


async def test_the_metrics_need_no_loopback_name() -> None:
    async with browser(await refreshed(small_world()), inventory=True) as client:
        for path in ("/", "/metrics", "/-/ready"):
            assert (await client.get(path)).status_code == 200


class Client:
    """An ASGI client that decides when it reads."""

    def __init__(self, harness: Harness, path: str) -> None:
        self.app = harness.exporter.web(Pages(inventory=True))
        self.path = path
        self.messages: list[Message] = []
        self.may_read = asyncio.Semaphore(0)
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.may_read.acquire()
        self.messages.append(message)

    def start(self, app: Any = None) -> asyncio.Task[None]:
        scope = {
            "type": "http",
            "method": "GET",
            "path": self.path,
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }

        async def request() -> None:
            await (app or self.app)(scope, self.receive, self.send)

        return asyncio.create_task(request())


async def test_a_slow_reader_blocks_nobody_and_holds_one_chunk() -> None:
    harness = await refreshed(Harness(1000))
    slow = Client(harness, "/keys.json")
    task = slow.start()
    for _ in range(3):
        slow.may_read.release()
        await harness.clock.sleep(1)
    assert len(slow.messages) == 3  # the head and two chunks of 200 rows
    quick = Client(harness, "/keys.json")
    quick.may_read = asyncio.Semaphore(1000)
    await quick.start(slow.app)
    assert len(json.loads(body(quick))) == 1000
    slow.may_read = quick.may_read  # released from now on
    for _ in range(20):
        slow.may_read.release()
    task.cancel()


def body(client: Client) -> bytes:
    return b"".join(each.get("body", b"") for each in client.messages)


async def test_a_client_that_disconnects_costs_no_further_chunks() -> None:
    harness = await refreshed(Harness(1000))
    client = Client(harness, "/keys.csv")
    task = client.start()
    client.may_read.release()
    await harness.clock.sleep(1)
    client.gone.set()
    await harness.clock.sleep(1)
    for _ in range(100):
        client.may_read.release()
    await task
    chunks = [each for each in client.messages if each.get("body")]
    assert len(chunks) <= 2


async def test_too_many_slow_downloads_are_refused() -> None:
    harness = await refreshed(small_world())
    first = Client(harness, "/keys.json")
    tasks = [first.start()]
    tasks += [Client(harness, "/keys.json").start(first.app) for _ in range(3)]
    await harness.clock.sleep(1)
    more = Client(harness, "/keys.json")
    more.may_read = asyncio.Semaphore(10)
    await more.start(first.app)
    assert more.messages[0]["status"] == 503
    page = Client(harness, "/keys")
    page.may_read = asyncio.Semaphore(10)
    await page.start(first.app)
    assert page.messages[0]["status"] == 200
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    again = Client(harness, "/keys.json")
    again.may_read = asyncio.Semaphore(10)
    await again.start(first.app)
    assert again.messages[0]["status"] == 200


async def test_keys_send_no_request_to_the_api() -> None:
    harness = await refreshed(small_world())
    sent = len(harness.sent)
    for path in PATHS:
        await got(harness, path)
    assert len(harness.sent) == sent


async def test_environments_come_from_the_listing_of_clusters() -> None:
    harness = small_world()
    harness.organization.replace(SimulatedEnvironment("env-1", "=prod"))
    harness.organization.replace(SimulatedCluster("lkc-1", "kafka", "env-1", "main"))
    await refreshed(harness)
    found = json.loads((await got(harness, "/keys.json?environment=%3Dprod")).text)
    assert {each["api_key_id"] for each in found} == {"A1", "A2", "A3", "C1", "E1"}
