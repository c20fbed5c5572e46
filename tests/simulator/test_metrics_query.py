from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import (
    Account,
    PrincipalLabel,
    SimulatedOrganization,
    SimulatedServiceAccount,
    SimulatedUsage,
    SimulatedUser,
    Simulator,
    Workload,
)
from tests.simulator.helpers import SECRET, client_of
from tests.simulator.metrics import (
    DAY,
    NOON,
    brief,
    clusters,
    equals,
    post,
    query_body,
    rows,
)
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.simulator.model import Record

HOUR = 3600


def simulator_at_noon(
    usage: SimulatedUsage, *, records: Iterable[Record] = (), **rights: Any
) -> Simulator:
    organization = SimulatedOrganization(records, usage=usage)
    account = Account("CLOUDKEY", SECRET, organization, **rights)
    return Simulator([account], clock=FakeClock(wall=NOON))


def two_owners() -> SimulatedUsage:
    """One request at half past each hour since 8:30, and one at 9:10 and 10:10 for another."""
    return SimulatedUsage(
        [
            Workload("sa-1", "lkc-1", NOON - 3.5 * HOUR, every=HOUR),
            Workload("u-2", "lkc-2", NOON - 170 * 60, every=HOUR, until=NOON - HOUR, requests=5),
        ]
    )


async def test_each_hour_with_requests_is_a_row_of_its_owner_and_cluster() -> None:
    assert brief(await rows(simulator_at_noon(two_owners()))) == [
        ("lkc-1", "sa-1", "09:00", 1),
        ("lkc-1", "sa-1", "10:00", 1),
        ("lkc-1", "sa-1", "11:00", 1),
        ("lkc-2", "u-2", "09:00", 5),
        ("lkc-2", "u-2", "10:00", 5),
    ]


async def test_a_row_has_the_name_of_its_principal() -> None:
    records: list[Record] = [
        SimulatedServiceAccount("sa-1", "orders"),
        SimulatedUser("u-2", "ada@example.com"),
    ]

    found = await rows(simulator_at_noon(two_owners(), records=records), granularity="P1D")

    assert found == [
        {
            "timestamp": "2024-01-01T00:00:00Z",
            "value": 3.0,
            "resource.kafka.id": "lkc-1",
            "metric.principal_id": "sa-1",
            "metric.principal_name": "orders",
        },
        {
            "timestamp": "2024-01-01T00:00:00Z",
            "value": 10.0,
            "resource.kafka.id": "lkc-2",
            "metric.principal_id": "u-2",
            "metric.principal_name": "ada@example.com",
        },
    ]


async def test_data_are_visible_after_three_minutes() -> None:
    usage = SimulatedUsage([Workload("sa-1", "lkc-1", NOON - 180, until=NOON)])
    simulator = simulator_at_noon(usage)

    at_noon = await rows(simulator)
    await simulator._clock.sleep(1)
    later = await rows(simulator)

    assert at_noon == []
    assert brief(later) == [("lkc-1", "sa-1", "11:00", 1)]


async def test_requests_of_more_than_seven_days_ago_are_forgotten() -> None:
    usage = SimulatedUsage(
        [
            Workload("sa-1", "lkc-1", NOON - 7 * DAY, until=NOON - 6 * DAY),
            Workload("sa-2", "lkc-1", NOON - 7 * DAY - 60, until=NOON - 7 * DAY),
        ]
    )

    found = await rows(
        simulator_at_noon(usage),
        granularity="P1D",
        intervals=["2023-12-01T00:00:00Z/2024-01-01T12:00:00Z"],
    )

    assert [(row["metric.principal_id"], row["timestamp"], row["value"]) for row in found] == [
        ("sa-1", "2023-12-25T00:00:00Z", 720),
        ("sa-1", "2023-12-26T00:00:00Z", 720),
    ]


async def test_buckets_are_aligned_to_utc_and_count_the_interval_only() -> None:
    found = await rows(
        simulator_at_noon(two_owners()),
        granularity="PT4H",
        intervals=["2024-01-01T11:00:00+01:00/2024-01-01T11:00:00Z"],
    )

    assert brief(found) == [("lkc-1", "sa-1", "08:00", 1), ("lkc-2", "u-2", "08:00", 5)]


async def test_overlapping_intervals_count_once() -> None:
    found = await rows(
        simulator_at_noon(two_owners()),
        granularity="P1D",
        filter=clusters("lkc-1"),
        intervals=[
            "2024-01-01T09:00:00Z/2024-01-01T10:00:00Z",
            "2024-01-01T09:00:00Z/2024-01-01T10:00:00Z",
            "2024-01-01T11:00:00Z/2024-01-01T12:00:00Z",
        ],
    )

    assert brief(found) == [("lkc-1", "sa-1", "00:00", 2)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (equals("resource.kafka.id", "lkc-2"), {("lkc-2", "u-2")}),
        (clusters("lkc-1", "lkc-unknown"), {("lkc-1", "sa-1"), ("lkc-1", "sa-3")}),
        (
            {
                "op": "AND",
                "filters": [
                    clusters("lkc-1", "lkc-2"),
                    {"field": "metric.principal_id", "op": "GT", "value": "sa-1"},
                ],
            },
            {("lkc-1", "sa-3"), ("lkc-2", "u-2")},
        ),
        (
            {
                "op": "AND",
                "filters": [
                    clusters("lkc-1", "lkc-2"),
                    {"field": "metric.principal_id", "op": "GTE", "value": "sa-1"},
                    {"op": "NOT", "filter": equals("metric.principal_id", "sa-3")},
                ],
            },
            {("lkc-1", "sa-1"), ("lkc-2", "u-2")},
        ),
    ],
    ids=["EQ", "OR", "GT", "GTE-NOT"],
)
async def test_a_filter_selects_clusters_and_principals(
    selection: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    usage = two_owners()
    usage.add(Workload("sa-3", "lkc-1", NOON - HOUR))

    found = await rows(simulator_at_noon(usage), filter=selection)

    assert {row[:2] for row in brief(found)} == expected


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"aggregations": []}, "aggregations does not have exactly one entry"),
        ({"aggregations": [{"metric": "x"}, {"metric": "x"}]}, "exactly one entry"),
        ({"aggregations": [{"metric": "nothing"}]}, "There is no metric 'nothing'"),
        (
            {"aggregations": [{"metric": "io.confluent.kafka.server/request_count", "agg": "MAX"}]},
            "The aggregation for io.confluent.kafka.server/request_count is SUM",
        ),
        (
            {"aggregations": [{"metric": "io.confluent.kafka.server/received_bytes"}]},
            "group_by is not a list of distinct labels out of resource.kafka.id.",
        ),
        ({"group_by": ["metric.topic"]}, "group_by is not a list of distinct labels"),
        ({"group_by": ["resource.kafka.id"] * 2}, "group_by is not a list of distinct labels"),
        ({"granularity": "PT2H"}, "granularity is not one of PT1M"),
        ({"granularity": None}, "missing required field `granularity`"),
        ({"intervals": []}, "intervals is empty"),
        ({"intervals": ["now-1h/now"]}, "'now-1h/now' is not two ISO 8601 times"),
        ({"intervals": ["2024-01-01T00:00:00/2024-01-02T00:00:00"]}, "with an offset"),
        ({"intervals": ["2024-01-02T00:00:00Z/2024-01-02T00:00:00Z"]}, "does not end after"),
        ({"limit": 0}, "limit is not between 1 and 1000"),
        ({"limit": 1001}, "limit is not between 1 and 1000"),
        ({"limit": "100"}, "The body is not a query: Expected `int | null`"),
        ({"format": "GROUPED"}, "format is not FLAT"),
        ({"order_by": []}, "unknown field `order_by`"),
        ({"filter": None}, "A filter is required"),
        ({"filter": []}, "A filter is not an object"),
        ({"filter": {"op": "LT", "field": "resource.kafka.id", "value": "x"}}, "none of"),
        ({"filter": {"op": "EQ", "field": "resource.kafka.id"}}, "none of"),
        ({"filter": equals("resource.connector.id", "x")}, "field is not one of resource.kafka.id"),
        ({"filter": {"op": "OR", "filters": []}}, "filters is not a list of 1 to 2000"),
        ({"filter": equals("metric.principal_id", "sa-1")}, "does not restrict the query"),
        ({"filter": {"op": "NOT", "filter": clusters("lkc-1")}}, "does not restrict the query"),
        (
            {
                "filter": {
                    "op": "OR",
                    "filters": [clusters("lkc-1"), equals("metric.principal_id", "sa-1")],
                }
            },
            "does not restrict the query",
        ),
    ],
)
async def test_an_invalid_body_is_a_400_that_names_the_problem(
    changes: dict[str, Any], problem: str
) -> None:
    response = await post(simulator_at_noon(two_owners()), query_body(**changes))

    (error,) = response.json()["errors"]
    assert (response.status_code, error["status"]) == (400, "400")
    assert problem in error["detail"]
    assert error["id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"filter":' + b"[" * 5000])
async def test_a_body_that_is_not_a_query_is_a_400(body: bytes) -> None:
    async with client_of(simulator_at_noon(two_owners())) as client:
        response = await client.post(
            "/v2/metrics/cloud/query", content=body, headers={"Content-Type": "application/json"}
        )

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"].startswith("The body is not a query")


async def test_filters_are_nested_at_most_ten_times() -> None:
    selection = clusters("lkc-1")
    for _ in range(9):
        selection = {"op": "AND", "filters": [selection]}

    response = await post(simulator_at_noon(two_owners()), query_body(filter=selection))

    assert (response.status_code, response.json()["errors"][0]["detail"]) == (
        400,
        "Filters are nested more than 10 times.",
    )


@pytest.mark.parametrize(
    ("granularity", "hours", "status"),
    [
        ("PT1M", 6, 200),
        ("PT1M", 7, 400),
        ("PT5M", 25, 400),
        ("PT15M", 97, 400),
        ("PT30M", 168, 200),
        ("PT30M", 169, 400),
        ("PT1H", 1000, 200),
    ],
)
async def test_a_fine_granularity_is_for_short_intervals(
    granularity: str, hours: int, status: int
) -> None:
    days, hour = divmod(hours, 24)
    interval = f"2023-11-01T00:00:00Z/2023-{11 + days // 30:02}-{1 + days % 30:02}T{hour:02}:00:00Z"

    response = await post(
        simulator_at_noon(two_owners()), query_body(granularity=granularity, intervals=[interval])
    )

    assert response.status_code == status, response.text


async def test_pages_continue_with_the_token_and_the_same_body() -> None:
    usage = SimulatedUsage([Workload(f"sa-{n}", "lkc-1", NOON - HOUR) for n in range(5)])
    simulator = simulator_at_noon(usage)
    body = query_body(limit=2)

    pages, token = [], None
    for _ in range(3):
        answer = (await post(simulator, body, token)).json()
        pages.append([row["metric.principal_id"] for row in answer["data"]])
        assert answer["meta"]["pagination"]["page_size"] == 2
        token = answer["meta"]["pagination"].get("next_page_token")

    assert pages == [["sa-0", "sa-1"], ["sa-2", "sa-3"], ["sa-4"]]
    assert token is None


@pytest.mark.parametrize(
    "group_by",
    [
        ["resource.kafka.id", "metric.principal_id"],
        ["metric.principal_id", "resource.kafka.id"],
    ],
)
async def test_pages_have_every_group_once_in_any_order_of_labels(group_by: list[str]) -> None:
    usage = SimulatedUsage(
        Workload(f"sa-{n}", f"lkc-{cluster}", NOON - HOUR, until=NOON - HOUR + 1)
        for n in range(5)
        for cluster in (1, 2)
    )

    found = await rows(simulator_at_noon(usage), group_by=group_by, limit=3)

    assert sorted(row[:2] for row in brief(found)) == [
        (f"lkc-{cluster}", f"sa-{n}") for cluster in (1, 2) for n in range(5)
    ]


async def test_principals_are_counted_over_clusters_unless_grouped_by_them() -> None:
    usage = two_owners()
    usage.add(Workload("sa-1", "lkc-2", NOON - HOUR, every=HOUR, requests=7))

    found = await rows(simulator_at_noon(usage), group_by=["metric.principal_id"])
    total = await rows(simulator_at_noon(usage), group_by=None, granularity="P1D")

    assert [(row["metric.principal_id"], row["value"]) for row in found] == [
        ("sa-1", 1),
        ("sa-1", 1),
        ("sa-1", 8),
        ("u-2", 5),
        ("u-2", 5),
    ]
    assert total == [{"timestamp": "2024-01-01T00:00:00Z", "value": 20.0}]


@pytest.mark.parametrize(
    ("metric", "value"),
    [("request_bytes", 500), ("response_bytes", 5000), ("active_connection_count", 1)],
)
async def test_metrics_have_values_of_their_own(metric: str, value: float) -> None:
    found = await rows(
        simulator_at_noon(two_owners()),
        aggregations=[{"metric": f"io.confluent.kafka.server/{metric}"}],
        filter=clusters("lkc-2"),
    )

    assert [row["value"] for row in found] == [value, value]


async def test_a_token_is_for_one_body_and_expires() -> None:
    usage = SimulatedUsage([Workload(f"sa-{n}", "lkc-1", NOON - HOUR) for n in range(5)])
    simulator = simulator_at_noon(usage)
    body = query_body(limit=2)
    token = (await post(simulator, body)).json()["meta"]["pagination"]["next_page_token"]

    other_body = await post(simulator, query_body(limit=3), token)
    reordered = await post(simulator, dict(reversed(body.items())), token)
    invalid = await post(simulator, body, "nonsense")
    await simulator._clock.sleep(299)
    in_time = await post(simulator, body, token)
    await simulator._clock.sleep(1)
    expired = await post(simulator, body, token)

    responses = (other_body, reordered, invalid, in_time, expired)
    assert [each.status_code for each in responses] == [400, 200, 400, 200, 400]
    assert [each.json()["errors"][0]["detail"] for each in (other_body, invalid, expired)] == [
        "page_token belongs to a query with another body.",
        "page_token is not valid.",
        "page_token has expired.",
    ]


async def test_one_bucket_for_all_has_no_pages() -> None:
    usage = SimulatedUsage([Workload(f"sa-{n}", "lkc-1", NOON - HOUR) for n in range(5)])
    simulator = simulator_at_noon(usage)

    found = await rows(simulator, granularity="ALL", limit=3)

    assert brief(found) == [("lkc-1", f"sa-{n}", "09:00", 57) for n in range(3)]
    refused = await post(simulator, query_body(granularity="ALL", limit=3), "x")
    assert refused.json()["errors"][0]["detail"].startswith("This query has no pages")


async def test_groups_are_limited_to_a_hundred_by_default() -> None:
    usage = SimulatedUsage([Workload(f"sa-{n:03}", "lkc-1", NOON - HOUR) for n in range(150)])

    answer = (await post(simulator_at_noon(usage), query_body(limit=None))).json()

    assert len({row["metric.principal_id"] for row in answer["data"]}) == 100
    assert "next_page_token" in answer["meta"]["pagination"]


@pytest.mark.parametrize(
    ("label", "member"),
    [
        (PrincipalLabel.MISSING, {}),
        (PrincipalLabel.NULL, {"metric.principal_id": None}),
        (PrincipalLabel.EMPTY, {"metric.principal_id": ""}),
    ],
)
async def test_a_cluster_may_have_data_without_principals(
    label: PrincipalLabel, member: dict[str, Any]
) -> None:
    usage = two_owners()
    usage.add(Workload("sa-9", "lkc-1", NOON - HOUR, until=NOON - HOUR + 60))
    usage.labels["lkc-1"] = label

    found = await rows(simulator_at_noon(usage))

    assert [row for row in found if row["resource.kafka.id"] == "lkc-1"] == [
        {
            "timestamp": f"2024-01-01T{hour}:00:00Z",
            "value": value,
            "resource.kafka.id": "lkc-1",
            **member,
        }
        for hour, value in (("09", 1), ("10", 1), ("11", 2))
    ]


async def test_a_silent_cluster_has_no_data() -> None:
    usage = two_owners()
    usage.silent.add("lkc-1")

    assert {row[0] for row in brief(await rows(simulator_at_noon(usage)))} == {"lkc-2"}


@pytest.mark.parametrize(
    "rights",
    [
        {"metrics_viewer": False},
        {"denied": frozenset({"/v2/metrics/cloud/query"})},
        {"unreadable_clusters": frozenset({"lkc-2"})},
    ],
)
async def test_without_the_role_a_query_is_a_403(rights: dict[str, Any]) -> None:
    response = await post(simulator_at_noon(two_owners(), **rights), query_body())

    assert response.status_code == 403
    assert response.json() == {
        "errors": [
            {
                "id": response.headers["X-Request-Id"],
                "status": "403",
                "code": "forbidden_access",
                "detail": "Forbidden Access",
            }
        ]
    }


async def test_an_unreadable_cluster_does_not_affect_queries_for_others() -> None:
    simulator = simulator_at_noon(two_owners(), unreadable_clusters=frozenset({"lkc-2"}))

    found = await rows(simulator, filter=clusters("lkc-1"))

    assert {row[0] for row in brief(found)} == {"lkc-1"}


async def test_metrics_and_listings_have_roles_of_their_own() -> None:
    simulator = simulator_at_noon(two_owners(), role="none")

    assert (await post(simulator, query_body())).status_code == 200


async def test_a_large_query_does_not_take_seconds() -> None:
    usage = SimulatedUsage(
        Workload(f"sa-{principal:03}", f"lkc-{cluster:02}", NOON - 30 * DAY)
        for cluster in range(40)
        for principal in range(500)
    )
    body = query_body(
        filter=clusters(*(f"lkc-{cluster:02}" for cluster in range(40))),
        intervals=["2023-12-25T12:00:00Z/2024-01-01T12:00:00Z"],
    )
    simulator = simulator_at_noon(usage)

    start = perf_counter()
    response = await post(simulator, body)
    elapsed = perf_counter() - start

    assert len(json.loads(response.content)["data"]) == 1000 * 168
    assert elapsed < 5, "usually 0.3 s; the limit leaves room for a busy machine"
