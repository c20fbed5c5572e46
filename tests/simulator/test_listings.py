"""All listings: items, filters, errors and visibility."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

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
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedOrganization,
    SimulatedRateLimit,
    SimulatedServiceAccount,
    SimulatedUser,
    Simulator,
)
from exporter.simulator.paths import PATHS
from tests.simulator.helpers import (
    ORIGIN,
    SECRET,
    ask,
    client_of,
    ids_of,
    simulator_of,
    small_listing,
    some_keys,
    walk,
)
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

ORG = "11111111-2222-4333-8444-555555555555"
CRN = "crn://confluent.cloud"
PLACE = f"{CRN}/organization={ORG}/environment=env-1"
REQUIRED = {
    KAFKA_CLUSTERS_PATH: {"environment": "env-1"},
    SCHEMA_REGISTRIES_PATH: {"environment": "env-1"},
    KSQL_CLUSTERS_PATH: {"environment": "env-1"},
    APPLIED_QUOTAS_PATH: {"scope": "ORGANIZATION"},
}
CLUSTERS = (KAFKA_CLUSTERS_PATH, SCHEMA_REGISTRIES_PATH, KSQL_CLUSTERS_PATH)


def small_organization() -> SimulatedOrganization:
    return SimulatedOrganization([*some_keys(1), *small_listing()], id=ORG, name="Example & Sons")


async def items(path: str, **query: str | Sequence[str]) -> list[dict[str, Any]]:
    response = await ask(simulator_of(small_organization()), path, **query)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json()["data"]
    return data


@pytest.mark.parametrize(
    ("path", "api_version", "kind"),
    [
        (API_KEYS_PATH, "iam/v2", "ApiKeyList"),
        (SERVICE_ACCOUNTS_PATH, "iam/v2", "ServiceAccountList"),
        (USERS_PATH, "iam/v2", "UserList"),
        (ENVIRONMENTS_PATH, "org/v2", "EnvironmentList"),
        (ORGANIZATIONS_PATH, "org/v2", "OrganizationList"),
        (KAFKA_CLUSTERS_PATH, "cmk/v2", "ClusterList"),
        (SCHEMA_REGISTRIES_PATH, "srcm/v3", "ClusterList"),
        (KSQL_CLUSTERS_PATH, "ksqldbcm/v2", "ClusterList"),
        (REGIONS_PATH, "fcpm/v2", "RegionList"),
        (APPLIED_QUOTAS_PATH, "service-quota/v1", "AppliedQuotaList"),
        (QUOTA_SCOPES_PATH, "service-quota/v1", "ScopeList"),
    ],
)
async def test_envelopes_and_items_have_api_version_and_kind(
    path: str, api_version: str, kind: str
) -> None:
    response = await ask(simulator_of(small_organization()), path, **REQUIRED.get(path, {}))

    page = response.json()
    assert response.status_code == 200
    assert set(page) == {"api_version", "kind", "metadata", "data"}
    assert (page["api_version"], page["kind"]) == (api_version, kind)
    assert page["data"]
    for item in page["data"]:
        assert (item["api_version"], item["kind"]) == (api_version, kind.removesuffix("List"))


def test_there_are_eleven_listings() -> None:
    assert len(PATHS) == len(set(PATHS)) == 11


async def test_a_service_account() -> None:
    first, second = await items(SERVICE_ACCOUNTS_PATH)

    assert first == {
        "api_version": "iam/v2",
        "kind": "ServiceAccount",
        "id": "sa-1",
        "metadata": {
            "self": f"{ORIGIN}/iam/v2/service-accounts/sa-1",
            "resource_name": f"{CRN}/organization={ORG}/service-account=sa-1",
        },
        "display_name": "orders",
        "description": "writes orders",
    }
    assert second["display_name"] == 'the "second"'
    assert "description" not in second


async def test_a_user_has_an_email_and_may_lack_a_name() -> None:
    ada, other = await items(USERS_PATH)

    assert (ada["full_name"], ada["email"]) == ("Ada Example", "ada@example.com")
    assert ada["auth_type"] == "AUTH_TYPE_SSO"
    assert set(other) == {"api_version", "kind", "id", "metadata", "email"}


async def test_an_environment_may_have_a_package() -> None:
    prod, dev = await items(ENVIRONMENTS_PATH)

    assert (prod["id"], prod["display_name"]) == ("env-1", "prod")
    assert prod["stream_governance_config"] == {"package": "ADVANCED"}
    assert prod["metadata"]["resource_name"] == PLACE
    assert "stream_governance_config" not in dev


async def test_the_organization_may_lack_a_name() -> None:
    (named,) = await items(ORGANIZATIONS_PATH)
    response = await ask(simulator_of(SimulatedOrganization(id=ORG)), ORGANIZATIONS_PATH)
    (nameless,) = response.json()["data"]

    assert (named["id"], named["display_name"]) == (ORG, "Example & Sons")
    assert named["metadata"]["self"] == f"{ORIGIN}/org/v2/organizations/{ORG}"
    assert "display_name" not in nameless


async def test_an_organization_can_be_renamed() -> None:
    organization = small_organization()
    simulator = simulator_of(organization)
    await ask(simulator, ORGANIZATIONS_PATH)

    organization.name = "Renamed"

    (item,) = (await ask(simulator, ORGANIZATIONS_PATH)).json()["data"]
    assert (organization.name, item["display_name"]) == ("Renamed", "Renamed")


async def test_a_kafka_cluster() -> None:
    (cluster,) = await items(KAFKA_CLUSTERS_PATH, environment="env-1")

    assert cluster["id"] == "lkc-1"
    assert cluster["metadata"]["resource_name"] == f"{PLACE}/cloud-cluster=lkc-1"
    spec = cluster["spec"]
    assert (spec["display_name"], spec["cloud"], spec["region"]) == ("orders", "AWS", "us-east-1")
    assert spec["config"] == {"kind": "Dedicated", "cku": 2}
    assert spec["environment"] == {
        "id": "env-1",
        "related": f"{ORIGIN}/org/v2/environments/env-1",
        "resource_name": PLACE,
    }
    assert cluster["status"]["phase"] == "PROVISIONED"


async def test_a_schema_registry_may_lack_a_name() -> None:
    (registry,) = await items(SCHEMA_REGISTRIES_PATH, environment="env-1")

    assert registry["id"] == "lsrc-1"
    assert registry["metadata"]["resource_name"] == f"{PLACE}/schema-registry=lsrc-1"
    assert registry["spec"]["package"] == "ADVANCED"
    assert registry["spec"]["environment"]["id"] == "env-1"
    assert "display_name" not in registry["spec"]


async def test_a_ksqldb_cluster_refers_to_its_kafka_cluster_and_identity() -> None:
    (cluster,) = await items(KSQL_CLUSTERS_PATH, environment="env-1")

    assert cluster["id"] == "lksqlc-1"
    assert cluster["spec"]["display_name"] == "app_1"
    assert cluster["spec"]["kafka_cluster"] == {
        "id": "lkc-1",
        "environment": "env-1",
        "related": f"{ORIGIN}/cmk/v2/clusters/lkc-1",
        "resource_name": f"{PLACE}/cloud-cluster=lkc-1",
    }
    assert cluster["spec"]["credential_identity"]["id"] == "sa-1"
    assert cluster["spec"]["environment"]["id"] == "env-1"


async def test_a_region_has_an_upper_case_cloud_and_an_empty_self_link() -> None:
    first, _ = await items(REGIONS_PATH)

    assert first == {
        "api_version": "fcpm/v2",
        "kind": "Region",
        "id": "aws.us-east-1",
        "metadata": {"self": ""},
        "display_name": "N. Virginia (us-east-1)",
        "cloud": "AWS",
        "region_name": "us-east-1",
        "http_endpoint": "https://flink.us-east-1.aws.confluent.cloud",
    }


async def test_scopes_are_in_upper_case() -> None:
    found = await items(QUOTA_SCOPES_PATH)

    assert [item["id"] for item in found] == [
        "CERTIFICATE_AUTHORITY",
        "ENVIRONMENT",
        "IDENTITY_PROVIDER",
        "KAFKA_CLUSTER",
        "NETWORK",
        "ORGANIZATION",
        "SERVICE_ACCOUNT",
        "USER_ACCOUNT",
    ]
    assert all(item["description"] for item in found)


@pytest.mark.parametrize(
    ("path", "query", "ids"),
    [
        (KAFKA_CLUSTERS_PATH, {"environment": "env-2"}, ["lkc-2"]),
        (SCHEMA_REGISTRIES_PATH, {"environment": "env-2"}, []),
        (KSQL_CLUSTERS_PATH, {"environment": "env-2"}, []),
        (KAFKA_CLUSTERS_PATH, {"environment": "env-1"}, ["lkc-1"]),
    ],
)
async def test_filters(path: str, query: dict[str, str | list[str]], ids: list[str]) -> None:
    assert [item["id"] for item in await items(path, **query)] == ids


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        *[(path, {}, "environment") for path in CLUSTERS],
        *[(path, {"environment": ""}, "environment") for path in CLUSTERS],
        (APPLIED_QUOTAS_PATH, {}, "scope"),
        (APPLIED_QUOTAS_PATH, {"scope": "GALAXY"}, "scope"),
        (APPLIED_QUOTAS_PATH, {"scope": ["ORGANIZATION", "ENVIRONMENT"]}, "scope"),
        (APPLIED_QUOTAS_PATH, {"scope": "ORGANIZATION", "page_size": "201"}, "page_size"),
        (QUOTA_SCOPES_PATH, {"page_size": "201"}, "page_size"),
        (QUOTA_SCOPES_PATH, {"scope": "ORGANIZATION"}, "scope"),
        (USERS_PATH, {"page_size": "101"}, "page_size"),
        (USERS_PATH, {"display_name": "x"}, "display_name"),
        (ENVIRONMENTS_PATH, {"page_token": "garbage!"}, "page_token"),
        (SERVICE_ACCOUNTS_PATH, {"spec.owner": "sa-1"}, "spec.owner"),
        (REGIONS_PATH, {"cloud": "aws"}, "cloud"),
        (SCHEMA_REGISTRIES_PATH, {"environment": "env-1", "spec.network": "n-1"}, "spec.network"),
        (KAFKA_CLUSTERS_PATH, {"environment": ["env-1", "env-2"]}, "environment"),
    ],
)
async def test_an_invalid_query_is_a_400_that_names_the_parameter(
    path: str, query: dict[str, str | list[str]], parameter: str
) -> None:
    response = await ask(simulator_of(small_organization()), path, **query)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["code"], error["source"]) == ("invalid_filter", {"parameter": parameter})


async def test_pages_of_quotas_have_up_to_200_items() -> None:
    records = [SimulatedUser(f"u-{n:03}", f"{n}@example.com") for n in range(120)]
    simulator = simulator_of(SimulatedOrganization(records))
    page = (await ask(simulator, APPLIED_QUOTAS_PATH, scope="USER_ACCOUNT", page_size="200")).json()

    assert len(page["data"]) == 200
    assert (await ask(simulator, QUOTA_SCOPES_PATH, page_size="200")).status_code == 200


@pytest.mark.parametrize("end", End)
async def test_every_listing_is_paged_in_the_same_way(end: End) -> None:
    records = [SimulatedServiceAccount(f"sa-{n:02}", f"{n}") for n in range(25)]
    simulator = simulator_of(SimulatedOrganization(records), options=ApiOptions(end=end))
    async with client_of(simulator) as client:
        pages = await walk(client, SERVICE_ACCOUNTS_PATH, page_size="10")

    assert ids_of(pages) == [f"sa-{n:02}" for n in range(25)]
    assert len(pages) == (4 if end is End.EMPTY_PAGE else 3)
    assert {request.path for request in simulator.requests} == {SERVICE_ACCOUNTS_PATH}


async def test_a_filter_applies_to_all_pages() -> None:
    clusters = [
        SimulatedCluster(f"lkc-{n}", "kafka", f"env-{n % 2}", f"number {n}") for n in range(8)
    ]
    places = [SimulatedEnvironment(f"env-{n}", "") for n in range(2)]
    simulator = simulator_of(SimulatedOrganization([*clusters, *places]))
    async with client_of(simulator) as client:
        pages = await walk(client, KAFKA_CLUSTERS_PATH, environment="env-1", page_size="2")

    assert [ids_of([page]) for page in pages] == [["lkc-1", "lkc-3"], ["lkc-5", "lkc-7"]]
    assert [dict(request.query) for request in simulator.requests] == [
        {"environment": "env-1", "page_size": "2"},
        {
            "environment": "env-1",
            "page_size": "2",
            "page_token": base64.urlsafe_b64encode(b'{"id":"lkc-3"}').decode(),
        },
    ]


@pytest.mark.parametrize("path", PATHS)
async def test_total_size_is_an_option_except_where_it_was_seen(path: str) -> None:
    organization, query = small_organization(), REQUIRED.get(path, {})
    plain = await ask(simulator_of(organization), path, **query)
    told = await ask(simulator_of(organization, options=ApiOptions(total_size=True)), path, **query)

    talkative = path in {SCHEMA_REGISTRIES_PATH, KSQL_CLUSTERS_PATH, REGIONS_PATH}
    assert ("total_size" in plain.json()["metadata"]) == talkative
    assert told.json()["metadata"]["total_size"] == len(told.json()["data"])


@pytest.mark.parametrize("path", CLUSTERS)
async def test_the_clusters_of_an_unknown_environment_are_forbidden(path: str) -> None:
    response = await ask(simulator_of(small_organization()), path, environment="env-9")

    assert response.status_code == 403
    assert response.json()["errors"][0]["code"] == "forbidden_access"


async def test_an_environment_may_be_deleted_before_its_clusters_are_listed() -> None:
    organization = small_organization()
    simulator = simulator_of(organization)
    listed = ids_of([(await ask(simulator, ENVIRONMENTS_PATH)).json()])

    organization.remove_environment("env-2")
    responses = [await ask(simulator, KAFKA_CLUSTERS_PATH, environment=place) for place in listed]

    assert listed == ["env-1", "env-2"]
    assert [response.status_code for response in responses] == [200, 403]
    assert ids_of([(await ask(simulator, ENVIRONMENTS_PATH)).json()]) == ["env-1"]
    assert list(organization.environments) == ["env-1"]
    assert list(organization.keys) == ["K001"]


async def test_a_changed_record_appears_in_the_next_response() -> None:
    organization = small_organization()
    simulator = simulator_of(organization)
    await ask(simulator, SERVICE_ACCOUNTS_PATH)

    organization.service_accounts.replace(SimulatedServiceAccount("sa-1", "renamed"))
    organization.service_accounts.remove("sa-2")

    (item,) = (await ask(simulator, SERVICE_ACCOUNTS_PATH)).json()["data"]
    assert item["display_name"] == "renamed"


async def test_a_denied_listing_is_a_403_or_empty() -> None:
    account = Account(
        "CLOUDKEY",
        SECRET,
        small_organization(),
        denied=frozenset({SERVICE_ACCOUNTS_PATH}),
        empty=frozenset({USERS_PATH, KAFKA_CLUSTERS_PATH}),
    )
    simulator = Simulator([account], clock=FakeClock(), options=ApiOptions(total_size=True))
    responses = {
        path: await ask(simulator, path, **REQUIRED.get(path, {}))
        for path in (SERVICE_ACCOUNTS_PATH, USERS_PATH, KAFKA_CLUSTERS_PATH, API_KEYS_PATH)
    }

    assert [response.status_code for response in responses.values()] == [403, 200, 200, 200]
    assert responses[USERS_PATH].json() == {
        "api_version": "iam/v2",
        "kind": "UserList",
        "metadata": {"total_size": 0},
        "data": [],
    }
    assert responses[KAFKA_CLUSTERS_PATH].json()["data"] == []
    assert len(responses[API_KEYS_PATH].json()["data"]) == 1

    account.denied = account.empty = frozenset()
    assert len((await ask(simulator, SERVICE_ACCOUNTS_PATH)).json()["data"]) == 2


@pytest.mark.parametrize("path", PATHS)
async def test_every_endpoint_requires_credentials_a_role_and_get(path: str) -> None:
    account = Account("CLOUDKEY", SECRET, small_organization(), role="none")
    simulator = Simulator([account], clock=FakeClock())
    forbidden = await ask(simulator, path, **REQUIRED.get(path, {}))
    async with client_of(simulator, secret="wrong") as client:
        unauthorized = await client.get(path, params=REQUIRED.get(path, {}))
    account.role = "OrganizationAdmin"
    async with client_of(simulator) as client:
        written = await client.post(path)

    assert (forbidden.status_code, unauthorized.status_code) == (403, 401)
    assert written.status_code == 405


async def test_all_endpoints_share_one_rate_limit_window() -> None:
    simulator = simulator_of(small_organization(), rate_limit=SimulatedRateLimit(3, 60))
    paths = (API_KEYS_PATH, USERS_PATH, REGIONS_PATH, QUOTA_SCOPES_PATH)
    responses = [await ask(simulator, path) for path in paths]

    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert [response.headers["X-RateLimit-Remaining"] for response in responses] == [
        "2",
        "1",
        "0",
        "0",
    ]


async def test_every_path_may_have_a_prefix() -> None:
    simulator = simulator_of(small_organization(), options=ApiOptions(path_prefix="/api"))

    assert (await ask(simulator, f"/api{USERS_PATH}")).status_code == 200
    assert (await ask(simulator, USERS_PATH)).status_code == 404


async def test_visibility_applies_to_keys_only() -> None:
    account = Account("CLOUDKEY", SECRET, small_organization(), visible=lambda _: False)
    simulator = Simulator([account], clock=FakeClock())

    assert (await ask(simulator, API_KEYS_PATH)).json()["data"] == []
    assert len((await ask(simulator, USERS_PATH)).json()["data"]) == 2
