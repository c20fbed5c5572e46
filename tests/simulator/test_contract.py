"""The simulator against the provider's OpenAPI files."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from exporter.simulator import (
    API_KEYS_PATH,
    APPLIED_QUOTAS_PATH,
    ENVIRONMENTS_PATH,
    KAFKA_CLUSTERS_PATH,
    KSQL_CLUSTERS_PATH,
    ORGANIZATIONS_PATH,
    QUOTA_SCOPES_PATH,
    REGIONS_PATH,
    SCHEMA_REGISTRIES_PATH,
    SERVICE_ACCOUNTS_PATH,
    USERS_PATH,
    Account,
    ApiOptions,
    End,
    ItemFormat,
    SimulatedOrganization,
    SimulatedRateLimit,
    SimulatedServiceAccount,
    Simulator,
    parse_fault,
    seeded_organization,
)
from exporter.simulator.listings import ENDPOINTS
from exporter.simulator.paths import PATHS
from exporter.simulator.quotas import SCOPES
from tests.openapi import (
    documented_parameters,
    needs_openapi,
    request_problems,
    response_problems,
)
from tests.simulator.helpers import (
    SECRET,
    ask,
    client_of,
    simulator_of,
    small_listing,
    some_keys,
)
from tests.virtual_time import EPOCH, FakeClock

if TYPE_CHECKING:
    import httpx

CLUSTERS = (KAFKA_CLUSTERS_PATH, SCHEMA_REGISTRIES_PATH, KSQL_CLUSTERS_PATH)

pytestmark = needs_openapi


@pytest.mark.parametrize("end", End)
async def test_pages_in_all_formats_are_as_documented(end: End) -> None:
    organization = seeded_organization(seed=1, keys=1000, now=EPOCH)
    assert {key.item_format for key in organization.keys.values()} == set(ItemFormat)
    simulator = simulator_of(organization, options=ApiOptions(end=end, total_size=end is End.NULL))
    url, pages = f"{API_KEYS_PATH}?page_size=100", 0
    async with client_of(simulator) as client:
        while url:
            response = await client.get(url)
            assert response_problems(API_KEYS_PATH, response.status_code, response.content) == []
            url = response.json()["metadata"].get("next")
            pages += 1

    assert pages == (11 if end is End.EMPTY_PAGE else 10)
    for request in simulator.requests:
        assert request_problems(request.method, request.path, request.query) == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [("401", 401), ("403", 403), ("forbidden-key", 403), ("429", 429), ("500", 500)],
)
async def test_errors_are_as_documented(fault: str, status: int) -> None:
    simulator = simulator_of(
        SimulatedOrganization(some_keys(1)), rate_limit=SimulatedRateLimit(9, 60)
    )
    simulator.script(1, fault)

    response = await ask(simulator)

    assert response.status_code == status
    assert response_problems(API_KEYS_PATH, status, response.content) == []


@pytest.mark.parametrize("query", [{"page_size": "101"}, {"page_token": "?"}, {"who": "me"}])
async def test_a_400_is_as_documented(query: dict[str, str]) -> None:
    response = await ask(simulator_of(SimulatedOrganization()), **query)

    assert response.status_code == 400
    assert response_problems(API_KEYS_PATH, 400, response.content) == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", API_KEYS_PATH)])
async def test_unsupported_requests_have_the_documented_error_envelope(
    method: str, path: str
) -> None:
    async with client_of(simulator_of(SimulatedOrganization())) as client:
        response = await client.request(method, path)

    assert response.status_code in {404, 405}
    assert response_problems(path, response.status_code, response.content) == []


async def test_missing_roles_and_wrong_secrets_have_documented_errors() -> None:
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(), role="none")
    simulator = Simulator([account], clock=FakeClock())
    forbidden = await ask(simulator)
    account.api_secret = "rotated"
    unauthorized = await ask(simulator)

    assert (forbidden.status_code, unauthorized.status_code) == (403, 401)
    for response in (forbidden, unauthorized):
        assert response_problems(API_KEYS_PATH, response.status_code, response.content) == []


async def test_every_page_of_every_listing_is_as_documented() -> None:
    organization = seeded_organization(seed=1, keys=1200, now=EPOCH)
    # A service account without a description.
    organization.add(SimulatedServiceAccount("sa-3", "third"))
    simulator = simulator_of(organization, options=ApiOptions(end=End.NULL))
    places = [{"environment": place} for place in organization.environments]
    queries: dict[str, list[dict[str, str]]] = {
        **{path: [{}] for path in PATHS},
        **dict.fromkeys(CLUSTERS, places),
        APPLIED_QUOTAS_PATH: [{"scope": scope} for scope in SCOPES],
    }
    sizes: Counter[str] = Counter()
    for path, variants in queries.items():
        most = "200" if path.startswith("/service-quota/") else "100"
        for query in variants:
            url: str | None = f"{path}?{urlencode({**query, 'page_size': most})}"
            while url:
                response = await _validated(simulator, url, 200)
                sizes[path] += len(response.json()["data"])
                url = response.json()["metadata"].get("next")

    # Counted in the records.
    kinds = Counter(cluster.kind for cluster in organization.clusters.values())
    assert sizes == {
        API_KEYS_PATH: 1200,
        SERVICE_ACCOUNTS_PATH: len(organization.service_accounts),
        USERS_PATH: len(organization.users),
        ENVIRONMENTS_PATH: len(organization.environments),
        ORGANIZATIONS_PATH: 1,
        KAFKA_CLUSTERS_PATH: kinds["kafka"],
        SCHEMA_REGISTRIES_PATH: kinds["schema-registry"],
        KSQL_CLUSTERS_PATH: kinds["ksql"],
        REGIONS_PATH: len(organization.regions),
        APPLIED_QUOTAS_PATH: len(organization.quotas()),
        QUOTA_SCOPES_PATH: 8,
    }
    for request in simulator.requests:
        assert request_problems(request.method, request.path, request.query) == []


async def _validated(simulator: Simulator, url: str, status: int) -> httpx.Response:
    """Request ``url`` and validate the response."""
    async with client_of(simulator) as client:
        response = await client.get(url)
    path = urlsplit(url).path
    assert response.status_code == status, response.text
    assert response_problems(path, status, response.content) == []
    return response


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("fault", "status"),
    [("401", 401), ("403", 403), ("forbidden-key", 403), ("429", 429), ("500", 500)],
)
async def test_errors_of_every_endpoint_are_as_documented(
    path: str, fault: str, status: int
) -> None:
    simulator = simulator_of(SimulatedOrganization(), faults=[parse_fault(f"{fault}@{path}")])

    await _validated(simulator, path, status)


@pytest.mark.parametrize("path", PATHS)
async def test_rejected_and_empty_requests_of_every_endpoint_are_as_documented(path: str) -> None:
    query = "environment=env-1" if path in CLUSTERS else "scope=ORGANIZATION"
    query = query if path in {*CLUSTERS, APPLIED_QUOTAS_PATH} else ""
    account = Account("CLOUDKEY", SECRET, SimulatedOrganization(small_listing()))
    simulator = Simulator([account], clock=FakeClock())
    await _validated(simulator, f"{path}?who=me", 400)
    await _validated(simulator, f"{path}?{query}&page_size=1000", 400)
    await _validated(simulator, f"{path}?{query}", 200)
    account.empty = frozenset({path})
    await _validated(simulator, f"{path}?{query}", 200)
    account.denied = frozenset({path})
    await _validated(simulator, f"{path}?{query}", 403)


@pytest.mark.parametrize("path", CLUSTERS)
async def test_an_unknown_environment_is_an_error_as_documented(path: str) -> None:
    simulator = simulator_of(SimulatedOrganization())
    await _validated(simulator, path, 400)
    await _validated(simulator, f"{path}?environment=env-9", 403)


def test_endpoints_support_only_documented_parameters() -> None:
    for path, endpoint in ENDPOINTS.items():
        assert {*endpoint.filters, "page_size", "page_token"} <= documented_parameters(path), path


# The validation itself


@pytest.mark.parametrize(
    ("method", "path", "query", "problem"),
    [
        ("GET", "/iam/v2/keys", {}, "the path /iam/v2/keys is not documented"),
        ("POST", API_KEYS_PATH, {}, "POST /iam/v2/api-keys is not documented"),
        ("GET", API_KEYS_PATH, {"owner": "sa-1"}, "the parameter owner is not documented"),
        ("GET", API_KEYS_PATH, {"page_size": "many"}, "page_size: 'many' is not an integer"),
        ("GET", API_KEYS_PATH, {"page_size": "101"}, "101 is greater than the maximum of 100"),
        ("GET", API_KEYS_PATH, {"page_token": "x" * 256}, "is too long"),
        ("GET", "/cmk/v2/clusters", {}, "the parameter environment is required"),
        (
            "GET",
            "/cmk/v2/clusters",
            {"environment": "env-1", "spec.deletion_protection": "maybe"},
            "'maybe' is not of type 'boolean'",
        ),
        ("GET", "/service-quota/v1/scopes", {"page_size": "201"}, "maximum of 200"),
    ],
)
def test_requests_are_validated_strictly(
    method: str, path: str, query: dict[str, str], problem: str
) -> None:
    (found,) = request_problems(method, path, query)

    assert problem in found


def test_a_repeated_parameter_is_reported() -> None:
    pairs = [("page_size", "5"), ("page_size", "6")]

    assert request_problems("GET", API_KEYS_PATH, pairs[:1]) == []
    assert request_problems("GET", API_KEYS_PATH, pairs) == [
        "the parameter page_size is given more than once"
    ]


def test_array_and_boolean_parameters_are_accepted() -> None:
    names = [("display_name", "a"), ("display_name", "b")]
    query = {"environment": "env-1", "spec.deletion_protection": "true", "spec.network": "n-1"}

    assert request_problems("GET", SERVICE_ACCOUNTS_PATH, names) == []
    assert request_problems("GET", KAFKA_CLUSTERS_PATH, query) == []


@pytest.mark.parametrize(
    ("path", "status", "body", "problem"),
    [
        (API_KEYS_PATH, 200, b"[]", "is not of type 'object'"),
        (API_KEYS_PATH, 200, b"<html>", "the body is not JSON"),
        (
            API_KEYS_PATH,
            200,
            b'{"api_version":"iam/v2","kind":"ApiKeyList","metadata":{}}',
            "'data' is a required property",
        ),
        (
            API_KEYS_PATH,
            200,
            b'{"api_version":"iam/v2","kind":"ApiKeyList","metadata":{"next":7},"data":[]}',
            "7 is not",
        ),
        (API_KEYS_PATH, 204, b"", "the status 204 is not documented"),
        (API_KEYS_PATH, 502, b"<html>", "the body is not JSON"),
        ("/nowhere", 404, b"{}", "'errors' is a required property"),
        ("/nowhere", 200, b"{}", "the path /nowhere is not documented"),
    ],
)
def test_responses_are_validated(path: str, status: int, body: bytes, problem: str) -> None:
    assert any(problem in found for found in response_problems(path, status, body))


def test_known_deviations_of_responses_are_accepted() -> None:
    body = b"""{"api_version": "iam/v2", "kind": "ApiKeyList", "metadata": {"next": null}, "data": [
        {"id": "A", "metadata": {"self": ""}, "spec": {"resource": null, "expires_at": "soon"}},
        {"id": "B", "metadata": {"self": ""}, "spec": {
            "resource": {"id": "cloud", "related": "cloud", "resource_name": "cloud"}}}]}"""

    assert response_problems(API_KEYS_PATH, 200, body) == []
