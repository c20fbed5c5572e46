from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import (
    CLOUD,
    Account,
    ApiOptions,
    End,
    ItemFormat,
    SimulatedKey,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedRateLimit,
    SimulatedResource,
    Simulator,
)
from exporter.simulator.listings import ENDPOINTS
from exporter.simulator.paging import Listing
from exporter.simulator.responses import json_response
from tests.simulator.helpers import (
    KAFKA,
    ORIGIN,
    OWNER,
    SECRET,
    ask,
    client_of,
    ids_of,
    simulator_of,
    some_keys,
    walk,
)
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from exporter.simulator import ServedRequest
    from exporter.simulator.responses import Response

PATH = "/iam/v2/api-keys"


def token_of(key_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"id": key_id}).encode()).decode()


@pytest.mark.parametrize(
    ("end", "pages", "last"),
    [
        (End.MISSING, 3, {}),
        (End.NULL, 3, {"first": None, "last": None, "prev": None, "next": None}),
        (End.EMPTY_STRING, 3, {"first": "", "next": ""}),
        (End.EMPTY_PAGE, 4, {}),
    ],
)
async def test_a_walk_reaches_every_key_once_for_every_end(
    end: End, pages: int, last: Mapping[str, object]
) -> None:
    keys = some_keys(25)
    simulator = simulator_of(SimulatedOrganization(keys), options=ApiOptions(end=end))
    async with client_of(simulator) as client:
        found = await walk(client, page_size="10")

    assert ids_of(found) == [key.id for key in keys]
    assert len(found) == len(simulator.requests) == pages
    assert found[-1]["metadata"] == last


async def test_a_full_last_page_has_no_next() -> None:
    simulator = simulator_of(SimulatedOrganization(some_keys(20)))
    async with client_of(simulator) as client:
        assert len(await walk(client, page_size="10")) == 2


async def test_an_organization_without_keys_has_one_empty_page() -> None:
    response = await ask(simulator_of(SimulatedOrganization()))

    assert response.json() == {
        "api_version": "iam/v2",
        "kind": "ApiKeyList",
        "metadata": {},
        "data": [],
    }


async def test_next_is_an_absolute_url_with_filters_and_page_size() -> None:
    simulator = simulator_of(
        SimulatedOrganization(some_keys(3)), options=ApiOptions(path_prefix="/api", total_size=True)
    )
    async with client_of(simulator) as client:
        response = await client.get(
            "http://gate.example:8080/api/iam/v2/api-keys?spec.owner=sa-000001&page_size=2"
        )

    page = response.json()
    assert [item["id"] for item in page["data"]] == ["K001", "K002"]
    assert page["metadata"] == {
        "first": "http://gate.example:8080/api/iam/v2/api-keys?spec.owner=sa-000001&page_size=2",
        # eyJpZCI6IkswMDIifQ== is {"id":"K002"}
        "next": "http://gate.example:8080/api/iam/v2/api-keys"
        "?page_token=eyJpZCI6IkswMDIifQ%3D%3D&spec.owner=sa-000001&page_size=2",
        "total_size": 3,
    }


async def test_the_default_page_size_is_ten() -> None:
    simulator = simulator_of(SimulatedOrganization(some_keys(120)))

    assert len((await ask(simulator)).json()["data"]) == 10
    assert len((await ask(simulator, page_size="100")).json()["data"]) == 100


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "-5"}, "page_size"),
        ({"page_size": "101"}, "page_size"),
        ({"page_size": "ten"}, "page_size"),
        ({"page_size": ""}, "page_size"),
        ({"page_size": "9" * 5000}, "page_size"),
        ({"page_token": "garbage!"}, "page_token"),
        ({"page_token": "Z2FyYmFnZQ=="}, "page_token"),
        ({"page_token": "é"}, "page_token"),
        ({"color": "red"}, "color"),
    ],
)
async def test_an_invalid_query_is_a_400_that_names_the_parameter(
    query: dict[str, str], parameter: str
) -> None:
    response = await ask(simulator_of(SimulatedOrganization(some_keys(3))), **query)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["code"] == "invalid_filter"
    assert error["source"] == {"parameter": parameter}
    assert error["id"] == response.headers["X-Request-Id"]


async def test_a_repeated_parameter_is_a_400() -> None:
    async with client_of(simulator_of(SimulatedOrganization())) as client:
        response = await client.get(f"{PATH}?page_size=5&page_size=6")

    assert response.status_code == 400


async def test_keys_created_before_the_cursor_are_missed_until_the_next_walk() -> None:
    keys = some_keys(5)
    organization = SimulatedOrganization(keys[1:])
    simulator = simulator_of(organization)
    async with client_of(simulator) as client:
        first = (await client.get(PATH, params={"page_size": "2"})).json()
        organization.add(keys[0])
        organization.delete("K003")  # the cursor's own key
        organization.add(replace(keys[0], id="K9"))
        rest = (await client.get(first["metadata"]["next"])).json()

    assert ids_of([first]) == ["K002", "K003"]
    assert ids_of([rest]) == ["K004", "K005"]
    assert rest["metadata"]["next"].startswith(f"{ORIGIN}{PATH}?page_token=")


async def test_a_replaced_key_appears_in_the_next_response() -> None:
    (key,) = some_keys(1)
    organization = SimulatedOrganization([key])
    simulator = simulator_of(organization)
    await ask(simulator)

    organization.replace(replace(key, description="new words"))

    assert (await ask(simulator)).json()["data"][0]["spec"]["description"] == "new words"


async def test_cached_items_of_deleted_keys_are_removed() -> None:
    keys = [replace(some_keys(1)[0], id=f"K{i:05}") for i in range(10_002)]
    organization = SimulatedOrganization(keys)
    listing = Listing(organization, ENDPOINTS[PATH])
    listing.encode(keys[1:], {})
    for key in keys[1:]:
        organization.delete(key.id)

    listing.encode(keys[:1], {})

    assert list(listing._items) == ["K00000"]


def mixed() -> SimulatedOrganization:
    ada = SimulatedOwner("u-ada", "user")
    registry = SimulatedResource("lsrc-1", "schema-registry", "env-1")
    region = SimulatedResource("aws.us-east-1", "flink-region", "env-1")
    return SimulatedOrganization(
        [
            SimulatedKey("A", OWNER, (KAFKA,), 0.0),
            SimulatedKey("B", ada, (KAFKA,), 0.0),
            SimulatedKey("C", ada, (CLOUD,), 0.0, item_format=ItemFormat.LEGACY),
            SimulatedKey("D", None, (KAFKA, registry), 0.0),
            SimulatedKey("E", OWNER, (region,), 0.0, item_format=ItemFormat.LEGACY),
        ]
    )


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"spec.owner": "u-ada"}, ["B", "C"]),
        ({"spec.owner": "U-ADA"}, []),
        ({"spec.owner": ""}, ["A", "B", "C", "D", "E"]),
        ({"spec.resource": "lkc-000001"}, ["A", "B", "D"]),
        ({"spec.resource": "lsrc-1"}, ["D"]),
        ({"spec.resource": "cloud"}, ["C"]),
        ({"spec.resource": "CLOUD"}, ["C"]),
        ({"spec.resource": "LSRC-1"}, []),
        ({"spec.resource": "env-1.aws.us-east-1"}, ["E"]),
        ({"spec.resource": "aws.us-east-1"}, ["E"]),
        ({"spec.owner": "u-ada", "spec.resource": "lkc-000001"}, ["B"]),
        ({"spec.owner": "", "spec.resource": "", "page_token": ""}, ["A", "B", "C", "D", "E"]),
    ],
)
async def test_filters_match_exactly_and_any_of_several_resources(
    query: dict[str, str], ids: list[str]
) -> None:
    simulator = simulator_of(mixed(), options=ApiOptions(total_size=True))
    page = (await ask(simulator, **query)).json()

    assert ids_of([page]) == ids
    assert page["metadata"]["total_size"] == len(ids)


async def test_filters_apply_to_all_pages() -> None:
    async with client_of(simulator_of(mixed())) as client:
        pages = await walk(client, page_size="1", **{"spec.resource": "lkc-000001"})

    assert [ids_of([page]) for page in pages] == [["A"], ["B"], ["D"]]


@pytest.mark.parametrize(
    ("api_key", "secret"), [("CLOUDKEY", "wrong"), ("UNKNOWN", SECRET), ("", "")]
)
async def test_unknown_credentials_are_a_401_in_the_short_form(api_key: str, secret: str) -> None:
    simulator = simulator_of(SimulatedOrganization(some_keys(1)))
    async with client_of(simulator, api_key, secret) as client:
        response = await client.get(PATH)

    assert response.status_code == 401
    assert response.json() == {
        "errors": [
            {
                "id": response.headers["X-Request-Id"],
                "status": "401",
                "detail": "Unauthorized",
                "source": {},
            }
        ]
    }
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["", "Bearer abc", "Basic", "Basic %%%", "Basic YWJj"])
async def test_credentials_other_than_basic_are_a_401(header: str) -> None:
    simulator = simulator_of(SimulatedOrganization())
    async with client_of(simulator) as client:
        response = await client.get(PATH, headers={"Authorization": header}, auth=None)

    assert response.status_code == 401


async def test_an_account_without_a_role_is_forbidden() -> None:
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(some_keys(1)), role="none")
    response = await ask(Simulator([account], clock=FakeClock()))

    assert response.status_code == 403
    assert response.json() == {
        "errors": [
            {
                "id": response.headers["X-Request-Id"],
                "status": "403",
                "code": "forbidden_access",
                "detail": "Forbidden Access",
                "source": {},
            }
        ]
    }


async def test_a_lost_role_shortens_the_list() -> None:
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(some_keys(4)))
    simulator = Simulator([account], clock=FakeClock(), options=ApiOptions(total_size=True))
    assert len((await ask(simulator)).json()["data"]) == 4

    account.visible = lambda key: key.id in {"K002", "K004"}
    response = await ask(simulator)

    assert response.status_code == 200
    assert ids_of([response.json()]) == ["K002", "K004"]
    assert response.json()["metadata"] == {"total_size": 2}


async def test_credentials_determine_the_organization() -> None:
    simulator = Simulator(
        [
            Account("ONE", SECRET, SimulatedOrganization(some_keys(1), seed=1)),
            Account("TWO", SECRET, SimulatedOrganization(some_keys(2), seed=2)),
        ],
        clock=FakeClock(),
    )
    sizes = []
    for api_key in ("ONE", "TWO"):
        async with client_of(simulator, api_key) as client:
            sizes.append(len((await client.get(PATH)).json()["data"]))

    assert sizes == [1, 2]


def test_duplicate_accounts_and_organizations_are_rejected() -> None:
    organization = SimulatedOrganization()
    with pytest.raises(ValueError, match="API key SAME"):
        Simulator([Account("SAME", "a", organization)] * 2, clock=FakeClock())
    with pytest.raises(ValueError, match="vary the seed"):
        Simulator(
            [Account("ONE", "a", organization), Account("TWO", "b", SimulatedOrganization())],
            clock=FakeClock(),
        )


def test_an_account_does_not_print_its_secret() -> None:
    assert SECRET not in repr(Account("CLOUDKEY", SECRET, SimulatedOrganization()))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/iam/v2/api-key", 404, "resource_not_found"),
        ("GET", "/iam/v2/api-keys/K001", 404, "resource_not_found"),
        ("POST", PATH, 405, "method_not_allowed"),
        ("DELETE", PATH, 405, "method_not_allowed"),
    ],
)
async def test_unsupported_requests_use_the_error_envelope(
    method: str, path: str, status: int, code: str
) -> None:
    async with client_of(simulator_of(SimulatedOrganization())) as client:
        response = await client.request(method, path)

    assert response.status_code == status
    assert response.json()["errors"][0]["code"] == code
    assert response.headers.get("Allow") == ("GET" if status == 405 else None)


async def test_request_ids_are_unique_and_reproducible() -> None:
    def fresh() -> Simulator:
        return simulator_of(SimulatedOrganization(some_keys(1)))

    async def ids(simulator: Simulator) -> list[str]:
        async with client_of(simulator) as client:
            responses = [await client.get(PATH), await client.get("/nowhere")]
        return [response.headers["X-Request-Id"] for response in responses]

    first = await ids(fresh())

    assert first == await ids(fresh())
    assert len(set(first)) == 2
    assert all(len(bytes.fromhex(request_id)) == 16 for request_id in first)


async def test_requests_are_recorded_without_their_secrets() -> None:
    simulator = simulator_of(SimulatedOrganization(some_keys(1)))
    await simulator._clock.sleep(7)
    await ask(simulator, page_size="5")
    async with client_of(simulator) as client:
        await client.get("/other", auth=None)

    served, refused = simulator.requests
    assert (served.number, served.time, served.method) == (1, 7.0, "GET")
    assert (served.path, served.query, served.status) == (PATH, {"page_size": "5"}, 200)
    assert (served.account, served.authorized) == ("CLOUDKEY", True)
    assert (refused.number, refused.path, refused.status) == (2, "/other", 401)
    assert (refused.account, refused.authorized) == (None, False)
    assert SECRET not in repr(simulator.requests)

    simulator.reset_requests()
    await ask(simulator)
    assert [request.number for request in simulator.requests] == [1]


class Greeting:
    """A service other than the listings of the API."""

    def respond(
        self,
        request: ServedRequest,
        account: Account,
        *,
        faults: Collection[str],
        options: ApiOptions,
    ) -> Response:
        del faults, options
        return json_response(f'"{account.api_key} at {request.path}"'.encode())


async def test_another_service_uses_accounts_rate_limit_and_faults() -> None:
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization())
    simulator = Simulator(
        [account], clock=FakeClock(), rate_limit=SimulatedRateLimit(2, 60), service=Greeting()
    )
    simulator.script(2, "500")

    first, second, third = [await ask(simulator, "/v2/hello") for _ in range(3)]
    async with client_of(simulator, secret="wrong") as client:
        unauthorized = await client.get("/v2/hello")

    assert first.json() == "CLOUDKEY at /v2/hello"
    assert first.headers["X-RateLimit-Remaining"] == "1"
    assert [r.status_code for r in (second, third, unauthorized)] == [500, 429, 401]
