"""The report over a small organization whose findings were worked out by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from structlog.testing import capture_logs

from exporter.cli import report as command
from exporter.cli import report_fetch
from exporter.cli.report import passes, warn_about_unevaluated_policies
from exporter.cli.report_fetch import OrganizationReport, fetch_reports
from exporter.report import (
    CSV_COLUMNS,
    Selection,
    as_csv,
    as_json,
    csv_chunks,
    json_chunks,
    violating,
)
from exporter.simulator import (
    CLOUD,
    SimulatedCluster,
    SimulatedServiceAccount,
    parse_fault,
)
from tests.harness import Harness
from tests.programs import ROOT
from tests.small_organization import (
    DAY,
    EXPECTED,
    KEYS,
    LKC_1,
    LKC_2,
    LSRC_1,
    NAMES,
    ORDER,
    SA_1,
    SURPLUS,
    key,
    reports,
    rows,
    small_world,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping, Sequence

    from exporter.report import Row


def said(logs: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    """What people see who have not asked for details."""
    return [entry for entry in logs if entry["log_level"] in {"warning", "error"}]


def ids(found: Iterable[Row]) -> list[str]:
    return [row.api_key_id for row in found]


def nullable(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
TIME = {"type": ["string", "null"], "pattern": "^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z$"}
SCHEMA = {
    "type": "array",
    "items": closed(
        organization=TEXT,
        api_key_id=TEXT,
        owner_id=TEXT,
        owner_kind={"enum": ["service-account", "user", "internal", "unknown"]},
        owner_name=nullable("string"),
        team=nullable("string"),
        resources={
            "type": "array",
            "minItems": 1,
            "items": closed(id=TEXT, kind=TEXT, environment_id=TEXT, name=nullable("string")),
        },
        display_name=nullable("string"),
        description=nullable("string"),
        created_at=TIME,
        expires_at=TIME,
        age_days=nullable("integer"),
        policies={"type": "array", "items": TEXT, "uniqueItems": True},
        exempted={"type": "array", "items": TEXT, "uniqueItems": True},
    ),
}


async def test_the_small_organization_is_as_worked_out_by_hand() -> None:
    assert json.loads(as_json(await rows(small_world()))) == EXPECTED


async def test_the_json_of_a_large_organization_has_the_documented_shape() -> None:
    found = json.loads(as_json(await rows(Harness(400, settings=NAMES))))
    assert len(found) == 400
    Draft202012Validator(SCHEMA).validate(found)
    Draft202012Validator(SCHEMA).validate(EXPECTED)
    assert as_json([]) == "[]\n"


async def test_the_texts_in_chunks_are_the_texts_as_a_whole() -> None:
    found = await rows(small_world([*KEYS, key("F1", SA_1, CLOUD, days=1, display_name="\u202e")]))
    lists = [[], found[:3], found[3:4], [], found[4:]]
    written = json.dumps(json.loads(as_json(found)), indent=2, ensure_ascii=False) + "\n"
    assert "".join(json_chunks(lists)) == as_json(found) == written.replace("\u202e", "\\u202e")
    assert "".join(csv_chunks(lists)) == as_csv(found)
    assert "".join(csv_chunks([])) == as_csv([]) == ",".join(CSV_COLUMNS) + "\r\n"
    assert "".join(json_chunks([[], []])) == "[]\n"


def test_every_member_and_column_is_documented() -> None:
    page = (ROOT / "docs" / "report.md").read_text()
    members = SCHEMA["items"]["properties"]  # type: ignore[index] # it is a dictionary
    parts = members["resources"]["items"]["properties"]
    for name in [*members, *(f"resources[].{part}" for part in parts)]:
        assert f"\n| `{name}` |" in page
    example = page.partition("```json\n")[2].partition("```")[0]
    Draft202012Validator(SCHEMA).validate(json.loads(example))
    for name in CSV_COLUMNS:
        assert f"`{name}`" in page.partition("## CSV")[2]
    header, row = csv.reader(page.partition("```csv\n")[2].partition("```")[0].splitlines())
    assert (tuple(header), len(row)) == (CSV_COLUMNS, len(CSV_COLUMNS))


OVERRIDES = """, overrides: [
  {owners: ["sa-[a-m]*"], max_age: 30d, undescribed: null},
  {resources: [cloud], max_keys_per_owner_and_resource: 1, max_age: null}]"""


@pytest.mark.parametrize("overrides", ["", OVERRIDES])
@pytest.mark.parametrize("settings", ["", "names: {users: false}", NAMES])
async def test_the_rows_add_up_to_the_metrics(settings: str, overrides: str) -> None:
    policy = f"policy: {{exempt: {{resources: [lkc-*]}}{overrides}}}"
    harness = Harness(600, settings=f"{policy}, {settings}".removesuffix(", "))
    found = await rows(harness)
    await harness.exporter.refresh_once()
    violations, exempted = Counter[tuple[str, str]](), Counter[str]()
    for (name, labels), value in harness.series().items():
        label = dict(labels)
        if name == "confluent_cloud_api_key_policy_violations" and value:
            violations[label["policy"], label["owner_id"]] = int(value)
        if name == "confluent_cloud_api_key_policy_exempted" and value:
            exempted[label["policy"]] = int(value)
    assert Counter((policy, row.owner_id) for row in found for policy in row.policies) == violations
    assert Counter(policy for row in found for policy in row.exempted) == exempted
    assert len({policy for policy, _ in violations}) >= 5  # the others are in the small one
    assert exempted


TEAMS = """
teams:
  - {name: payments, resources: [lsrc-1]}
  - {name: orders, owners: ["sa-*"]}
"""


async def test_the_team_of_a_row_is_the_first_that_matches_its_owner() -> None:
    harness = small_world().configured(TEAMS)
    found = {row.api_key_id: row.team for row in await rows(harness)}
    # sa-2 and sa-9 have a key for lsrc-1. D1 has no owner, and nobody is responsible for u-1.
    assert found == {
        "A1": "orders",
        "A2": "orders",
        "A3": "orders",
        "B1": None,
        "C1": "payments",
        "D1": None,
        "E1": "payments",
    }
    await harness.exporter.refresh_once()
    assert {
        (dict(labels)["owner_id"], dict(labels)["team"])
        for _, labels in harness.series("confluent_cloud_owner_team_info")
    } == {("sa-1", "orders"), ("sa-2", "payments"), ("sa-9", "payments")}


async def test_keys_can_be_selected_by_team() -> None:
    found = await rows(small_world().configured(TEAMS))
    assert ids(Selection(teams=("pay*",)).apply(found)) == ["E1", "C1"]
    assert ids(Selection(teams=("*",)).apply(found)) == ["A1", "E1", "A2", "C1", "A3"]


async def test_without_names_rows_have_ids_only_and_no_owner_is_unknown() -> None:
    found = {row.api_key_id: row for row in await rows(small_world(settings=""))}
    assert {row.owner_name for row in found.values()} == {None}
    assert found["C1"].policies == ("expired",)
    assert found["D1"].resources[0].environment_id == ""
    assert found["A1"].resources[0] == ("lkc-1", "kafka", "env-1", None, None)


async def test_policies_that_cannot_be_evaluated_are_logged_once() -> None:
    fetched, informed = await reports(small_world(settings="")), await reports(small_world())
    with capture_logs() as logs:
        warn_about_unevaluated_policies(fetched, requested=["max_age"])
    assert [(entry["organization"], entry["policies"]) for entry in logs] == [
        ("acme", "unknown_owner")
    ]
    with capture_logs() as logs:
        warn_about_unevaluated_policies(informed, requested=["max_age"])
    assert logs == []


def test_each_policy_that_cannot_be_evaluated_is_logged_with_what_it_needs() -> None:
    both = frozenset({"unknown_owner", "unused_for"})
    active = both | {"max_age"}
    fetched = OrganizationReport("acme", active=active, evaluated=active - both)
    with capture_logs() as logs:
        warn_about_unevaluated_policies([fetched], requested=[])
    assert {entry["policies"]: entry["missing"] for entry in logs} == {
        "unknown_owner": "a complete and plausible list of owners",
        "unused_for": "activity known for the time of the policy",
    }


async def test_a_requested_policy_that_is_disabled_is_logged() -> None:
    harness = Harness(KEYS, settings="policy: {max_age: null, unknown_owner: false}")
    fetched = await reports(harness)
    with capture_logs() as logs:
        warn_about_unevaluated_policies(fetched, requested=["max_age", "expired"])
    assert [entry["policies"] for entry in logs] == ["max_age"]


async def test_users_are_named_only_if_enabled() -> None:
    for settings, named in (("names: {users: false}", False), (NAMES, True)):
        found = await rows(small_world(settings=settings))
        table = command._render(found, "table", organizations=1).decode()
        for text in (as_json(found), as_csv(found), table.replace("\n", " ")):
            assert ("Ada" in text) is named
            assert "ada@" not in text
            assert "orders" in text


async def test_names_that_are_refused_leave_the_keys() -> None:
    harness = small_world()
    harness.accounts[0].denied = frozenset({"/iam/v2/service-accounts"})
    with capture_logs() as logs:
        found = {row.api_key_id: row for row in await rows(harness)}
    assert (found["A1"].owner_name, found["B1"].owner_name) == (None, "Ada Example")
    assert found["C1"].policies == ("expired",)
    assert [(entry["log_level"], entry["reason"]) for entry in said(logs)] == [
        ("warning", "forbidden")
    ]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ORDER),
        (Selection(owners=("sa-1",)), ["A1", "A2", "A3"]),
        (Selection(owners=("sa-[29]",)), ["E1", "C1"]),
        (Selection(owners=("SA-1",)), []),
        (Selection(owners=("ord*",)), ["A1", "A2", "A3"]),
        (Selection(owners=("fraud? v2", "Ada*")), ["E1", "B1"]),
        (Selection(owners=("*",)), [each for each in ORDER if each != "D1"]),
        (Selection(resources=("lsrc-*",)), ["E1", "C1"]),
        (Selection(resources=("cloud", "scratch")), ["D1", "B1"]),
        (Selection(environments=("prod",)), ["A1", "E1", "A2", "C1", "A3"]),
        (Selection(environments=("env-2",)), ["D1"]),
        (Selection(environments=("*",)), [each for each in ORDER if each != "B1"]),
        (Selection(resources=("lkc-*",), environments=("dev",)), ["D1"]),
        (Selection(owners=("sa-1",), resources=("cloud",)), []),
        (Selection(min_age=90 * DAY), ["A1", "E1", "A2", "B1"]),
        (Selection(min_age=90 * DAY + 1), ["A1", "E1", "A2"]),
        (Selection(max_age=90 * DAY), ["B1", "C1", "A3"]),
        (Selection(max_age=90 * DAY - 1), ["C1", "A3"]),
        (Selection(min_age=0), [each for each in ORDER if each != "D1"]),
        (Selection(min_age=30 * DAY, max_age=30 * DAY), ["C1"]),
    ],
)
async def test_the_filters(selection: Selection, expected: list[str]) -> None:
    assert ids(selection.apply(await rows(small_world()))) == expected


async def test_resource_and_environment_are_of_the_same_resource() -> None:
    both = [key("F1", SA_1, LKC_2, LSRC_1, days=1)]
    found = await rows(small_world(both))
    assert ids(Selection(resources=("lsrc-1",), environments=("env-1",)).apply(found)) == ["F1"]
    assert ids(Selection(resources=("lsrc-1",), environments=("env-2",)).apply(found)) == []


async def test_the_policies_that_are_asked_for() -> None:
    found = await rows(small_world())
    assert ids(violating(found, ["max_age"])) == ["A1", "A2"]  # E1 is exempted
    assert ids(violating(found, ["expired", "undescribed"])) == ["B1", "C1"]
    assert ids(violating(found, [])) == []


async def test_fail_on_logs_the_number_of_keys_and_checks_only_the_selected() -> None:
    fetched = await reports(small_world())
    found = [row for report in fetched for row in report.rows]
    with capture_logs() as logs:
        assert not passes(found, fetched, fail_on=["max_age", "expired"])
    (entry,) = logs
    assert (entry["log_level"], entry["keys"]) == ("error", 3)
    assert entry["policies"] == "expired,max_age"
    assert passes(Selection(owners=("sa-2",)).apply(found), fetched, fail_on=["max_age"])
    assert passes(found, fetched, fail_on=[])


async def test_fail_on_does_not_pass_what_could_not_be_evaluated() -> None:
    fetched = await reports(small_world(settings=""))
    assert not passes([], fetched, fail_on=["unknown_owner"])
    assert passes([], fetched, fail_on=["max_age"])


async def test_an_organization_that_fails_leaves_the_others() -> None:
    harness = Harness(5, names=("acme", "globex", "initech"), faults=[parse_fault("slow:5s")])
    harness.accounts[1].role = "none"
    with capture_logs() as logs:
        fetched = await reports(harness)
    assert [(each.organization, len(each.rows), each.failed) for each in fetched] == [
        ("acme", 5, False),
        ("globex", 0, True),
        ("initech", 5, False),
    ]
    (entry,) = said(logs)
    assert (entry["log_level"], entry["reason"]) == ("error", "forbidden")
    assert entry["request_id"]
    assert harness.clock.monotonic() == 5  # all at the same time


async def test_one_request_of_an_organization_is_under_way_at_a_time() -> None:
    harness = small_world(faults=[parse_fault("slow:1s")])
    await reports(harness)
    times = [request.time for request in harness.simulator.requests]
    assert times == [float(second) for second in range(len(times))]
    assert [str(request.url.path) for request in harness.sent][-1] == "/iam/v2/api-keys"


async def test_a_listing_that_breaks_off_is_not_reported() -> None:
    harness = Harness(25, settings="page_size: 10")
    harness.meanwhile(
        lambda answered: harness.simulator.script(5, "404") if answered == 1 else None
    )
    (report,) = await reports(harness)
    assert (report.failed, report.rows) == (True, ())


async def test_every_page_is_reported_as_progress() -> None:
    harness, heard = Harness(25, settings="page_size: 10"), list[tuple[str, int, bool]]()

    def on_progress(organization: str, keys: int, *, complete: bool) -> None:
        heard.append((organization, keys, complete))

    await fetch_reports(harness.exporter.hosts(), clock=harness.clock, on_progress=on_progress)
    assert heard == [("acme", n, False) for n in (10, 20, 25)] + [("acme", 25, True)]


async def test_unreadable_keys_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = small_world(settings="")
    data = [{"id": "GOOD", "spec": {}}, {"id": 7}, {"spec": {}}]
    body = json.dumps({"data": data, "metadata": {}}).encode()
    harness.wire = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(body)))
    with capture_logs() as logs:
        assert ids(await rows(harness.configured())) == ["GOOD"]
    assert [entry["items"] for entry in said(logs)] == [2]
    monkeypatch.setattr(report_fetch, "MAX_KEYS", 0)
    (report,) = await reports(harness)
    assert report.failed


async def test_a_broken_description_costs_no_key_in_the_report() -> None:
    harness = small_world(settings="")
    body = (
        rb'{"data": [{"id": "A", "spec": {"description": "cut \ud83d"}}, {"id": "B", "spec": {}}],'
        rb' "metadata": {}}'
    )
    harness.wire = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(body)))
    listed = {row.api_key_id: row.description for row in await rows(harness.configured())}
    assert listed == {"A": "cut \ufffd", "B": None}


async def test_csv_comes_back_as_it_was() -> None:
    odd = 'quotes "x", commas, 注文 🚚 Prüfung'
    keys = [key("F1", SA_1, LSRC_1, LKC_2, days=1, display_name=odd, description="")]
    text = as_csv(await rows(small_world([*KEYS, *keys])))
    assert text.count("\r\n") == 9
    assert text.startswith(",".join(CSV_COLUMNS) + "\r\n")
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [each["api_key_id"] for each in read] == [*ORDER, "F1"]
    assert read[-1] == {
        "organization": "acme",
        "api_key_id": "F1",
        "owner_id": "sa-1",
        "owner_kind": "service-account",
        "owner_name": "orders",
        "resource_ids": "lsrc-1|lkc-2",
        "resource_kinds": "schema-registry|kafka",
        "environment_ids": "env-1|env-2",
        "resource_names": "|scratch",  # the first one has none
        "display_name": odd,
        "description": "",
        "created_at": "2026-09-20T14:13:20Z",
        "expires_at": "",
        "age_days": "1",
        "policies": "",
        "exempted": "",
        "team": "",
    }
    assert (read[1]["policies"], read[2]["exempted"]) == (f"max_age|{SURPLUS}", "max_age")
    assert read[2]["environment_ids"] == "env-1|env-1"


async def test_each_name_in_csv_belongs_to_the_id_at_its_place() -> None:
    harness = small_world([key("F1", SA_1, LKC_1, LSRC_1, CLOUD, LKC_2, days=1)])
    for kind, cluster_id, environment, name in (
        ("kafka", "lkc-1", "env-1", "main | EU"),
        ("kafka", "lkc-2", "env-2", "C:\\dev team"),
    ):
        harness.organization.replace(SimulatedCluster(cluster_id, kind, environment, name))
    (read,) = csv.DictReader(io.StringIO(as_csv(await rows(harness)), newline=""))
    assert read["resource_ids"] == "lkc-1|lsrc-1|cloud|lkc-2"
    assert read["resource_kinds"] == "kafka|schema-registry|cloud|kafka"
    assert read["environment_ids"] == "env-1|env-1||env-2"
    assert read["resource_names"] == r"main \| EU|||C:\\dev team"
    # As docs/report.md says: split where no backslash is in front, then drop the backslashes.
    parts = re.findall(r"((?:[^|\\]|\\.)*)(?:\||$)", read["resource_names"])[:4]
    assert [re.sub(r"\\(.)", r"\1", part) for part in parts] == [
        "main | EU",
        "",
        "",
        "C:\\dev team",
    ]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d", "\uff20"])
async def test_no_field_is_a_formula(first: str) -> None:
    hostile = f"{first}cmd|' /C calc'!A0"
    keys = [key("F1", SA_1, LKC_1, days=1, display_name=hostile, description=f"x{hostile}")]
    harness = small_world(keys)
    harness.organization.replace(SimulatedServiceAccount("sa-1", hostile))
    (read,) = csv.DictReader(io.StringIO(as_csv(await rows(harness)), newline=""))
    assert read["display_name"] == read["owner_name"] == f"'{hostile}"
    assert read["description"] == f"x{hostile}"
