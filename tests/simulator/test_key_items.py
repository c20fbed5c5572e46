from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator import (
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    UNRECOGNIZED_KIND,
    ItemFormat,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    seeded_organization,
)
from exporter.simulator.key_items import key_item, resource_reference, timestamp
from tests.virtual_time import EPOCH

ORG = "0a0b0c0d-1111-4222-8333-444455556666"
ADA = SimulatedOwner("u-aaaaaa", "user")
BOT = SimulatedOwner("sa-bbbbbb", "service-account")
KAFKA = SimulatedResource("lkc-cccccc", "kafka", "env-dddddd")
REGISTRY = SimulatedResource("lsrc-eeeeee", "schema-registry", "env-dddddd")
KSQL = SimulatedResource("lksqlc-ffffff", "ksql", "env-dddddd")
FLINK = SimulatedResource("aws.us-east-1", "flink-region", "env-dddddd")
UNRECOGNIZED = SimulatedResource("something-new", UNRECOGNIZED_KIND, "env-dddddd")
AUDIT = SimulatedResource("lkc-gggggg", "kafka")
API = "https://api.confluent.cloud"
CRN = f"crn://api.confluent.cloud/organization={ORG}"
# 2025-11-03T08:12:44.90821Z, by hand: 20395 days, 29564.90821 seconds
CREATED = 20395 * 86_400 + 29_564.90821

KEY = SimulatedKey(
    "AAAABBBBCCCCDDDD",
    BOT,
    (KAFKA,),
    created_at=CREATED,
    updated_at=CREATED + 0.09179,
    display_name="orders",
    description="",
)


def item(key: SimulatedKey) -> dict[str, Any]:
    return key_item(key, ORG)


def test_an_ordinary_kafka_key() -> None:
    assert item(KEY) == {
        "api_version": "iam/v2",
        "kind": "ApiKey",
        "id": "AAAABBBBCCCCDDDD",
        "metadata": {
            "self": f"{API}/iam/v2/api-keys/AAAABBBBCCCCDDDD",
            "resource_name": f"{CRN}/service-account=sa-bbbbbb/api-key=AAAABBBBCCCCDDDD",
            "created_at": "2025-11-03T08:12:44.90821Z",
            "updated_at": "2025-11-03T08:12:45Z",
        },
        "spec": {
            "display_name": "orders",
            "description": "",
            "owner": {
                "id": "sa-bbbbbb",
                "api_version": "iam/v2",
                "kind": "ServiceAccount",
                "related": f"{API}/iam/v2/service-accounts/sa-bbbbbb",
                "resource_name": f"{CRN}/service-account=sa-bbbbbb",
            },
            "resource": {
                "id": "lkc-cccccc",
                "api_version": "cmk/v2",
                "kind": "Cluster",
                "environment": "env-dddddd",
                "related": f"{API}/cmk/v2/clusters/lkc-cccccc",
                "resource_name": f"{CRN}/environment=env-dddddd/cloud-cluster=lkc-cccccc",
            },
        },
    }


REFERENCES = [
    (
        KAFKA,
        ItemFormat.LEGACY,
        {
            "id": "lkc-cccccc",
            "api_version": "cmk/v2",
            "kind": "Cluster",
            "related": f"{API}/cmk/v2/clusters/lkc-cccccc",
            "resource_name": f"{CRN}/cluster=lkc-cccccc",
        },
    ),
    (
        KAFKA,
        ItemFormat.CRN_ONLY,
        {
            "id": "lkc-cccccc",
            "api_version": "cmk/v2",
            "kind": "Cluster",
            "related": f"{API}/cmk/v2/clusters/lkc-cccccc",
            "resource_name": (
                f"crn://confluent.cloud/organization={ORG}/environment=env-dddddd"
                "/cloud-cluster=lkc-cccccc"
            ),
        },
    ),
    (
        KAFKA,
        ItemFormat.MINIMAL,
        {
            "id": "lkc-cccccc",
            "kind": "Cluster",
            "related": f"{API}/cmk/v2/clusters/lkc-cccccc",
            "resource_name": f"{CRN}/kafka=lkc-cccccc",
        },
    ),
    (
        KAFKA,
        ItemFormat.DOCUMENTED,
        {
            "id": "lkc-cccccc",
            "api_version": "cmk/v2",
            "kind": "Cluster",
            "environment": "env-dddddd",
            "related": f"{API}/cmk/v2/clusters/lkc-cccccc",
            "resource_name": (
                f"{API}/organization={ORG}/environment=env-dddddd/cloud-cluster=lkc-cccccc"
            ),
        },
    ),
    (
        AUDIT,
        ItemFormat.CURRENT,
        {
            "id": "lkc-gggggg",
            "api_version": "cmk/v2",
            "kind": "Cluster",
            "related": f"{API}/cmk/v2/clusters/lkc-gggggg",
            "resource_name": f"{CRN}/cluster=lkc-gggggg",
        },
    ),
    (
        REGISTRY,
        ItemFormat.CURRENT,
        {
            "id": "lsrc-eeeeee",
            "api_version": "srcm/v3",
            "kind": "Cluster",
            "environment": "env-dddddd",
            "related": f"{API}/srcm/v3/clusters/lsrc-eeeeee",
            "resource_name": f"{CRN}/environment=env-dddddd/schema-registry=lsrc-eeeeee",
        },
    ),
    (
        REGISTRY,
        ItemFormat.LEGACY,
        {
            "id": "lsrc-eeeeee",
            "api_version": "srcm/v2",
            "kind": "SchemaRegistry",
            "environment": "env-dddddd",
            "related": f"{API}/srcm/v2/schema-registries/lsrc-eeeeee",
            "resource_name": f"{CRN}/schema-registry=lsrc-eeeeee",
        },
    ),
    (
        KSQL,
        ItemFormat.CURRENT,
        {
            "id": "lksqlc-ffffff",
            "api_version": "ksqldbcm/v2",
            "kind": "ksqlDB",
            "environment": "env-dddddd",
            "related": f"{API}/ksqldbcm/v2/clusters/lksqlc-ffffff",
            "resource_name": f"{CRN}/environment=env-dddddd/ksqldb=lksqlc-ffffff",
        },
    ),
    (
        KSQL,
        ItemFormat.DOCUMENTED,
        {
            "id": "lksqlc-ffffff",
            "api_version": "ksqldbcm/v2",
            "kind": "Cluster",
            "environment": "env-dddddd",
            "related": f"{API}/ksqldbcm/v2/clusters/lksqlc-ffffff",
            "resource_name": (
                f"{API}/organization={ORG}/environment=env-dddddd/ksqldb=lksqlc-ffffff"
            ),
        },
    ),
    (
        FLINK,
        ItemFormat.CURRENT,
        {
            "id": "aws.us-east-1",
            "api_version": "fcpm/v2",
            "kind": "Region",
            "environment": "env-dddddd",
            "related": f"{API}/fcpm/v2/regions?cloud=aws",
            "resource_name": f"{CRN}/environment=env-dddddd/flink-region=aws.us-east-1",
        },
    ),
    (
        FLINK,
        ItemFormat.LEGACY,
        {
            "id": "env-dddddd.aws.us-east-1",
            "api_version": "fcpm/v2",
            "kind": "Region",
            "related": f"{API}/fcpm/v2/regions?cloud=aws",
            "resource_name": f"{CRN}/environment=env-dddddd/flink-region=aws.us-east-1",
        },
    ),
    (
        UNRECOGNIZED,
        ItemFormat.CURRENT,
        {
            "id": "something-new",
            "api_version": "rtce/v1",
            "kind": "Futurething",
            "environment": "env-dddddd",
            "related": f"{API}/rtce/v1/things/something-new",
            "resource_name": f"{CRN}/environment=env-dddddd/futurething=something-new",
        },
    ),
    (
        TABLEFLOW,
        ItemFormat.CURRENT,
        {
            "id": "tableflow",
            "api_version": "tableflow/v1",
            "kind": "Tableflow",
            "related": "tableflow",
            "resource_name": "tableflow",
        },
    ),
    (
        GLOBAL,
        ItemFormat.CURRENT,
        {
            "id": "global",
            "api_version": "global/v1",
            "kind": "Global",
            "related": "global",
            "resource_name": "global",
        },
    ),
    (
        GLOBAL,
        ItemFormat.LEGACY,
        {
            "id": "global",
            "api_version": "iam/v2",
            "kind": "Global",
            "related": "global",
            "resource_name": "global",
        },
    ),
    (
        CLOUD,
        ItemFormat.CURRENT,
        {
            "id": "cloud",
            "api_version": "iam/v2",
            "kind": "Cloud",
            "related": "cloud",
            "resource_name": "cloud",
        },
    ),
    (
        CLOUD,
        ItemFormat.MINIMAL,
        {"id": "CLOUD", "kind": "Cloud", "related": "cloud", "resource_name": "cloud"},
    ),
]


@pytest.mark.parametrize(
    ("resource", "item_format", "reference"),
    REFERENCES,
    ids=[f"{resource.kind}-{item_format.name}" for resource, item_format, _ in REFERENCES],
)
def test_a_resource_in_each_format(
    resource: SimulatedResource, item_format: ItemFormat, reference: dict[str, str]
) -> None:
    assert resource_reference(resource, item_format, ORG) == reference


def test_the_resource_of_a_cloud_key_may_be_null_or_missing() -> None:
    cloud = replace(KEY, resources=(CLOUD,))

    assert item(replace(cloud, item_format=ItemFormat.LEGACY))["spec"]["resource"] is None
    assert "resource" not in item(replace(cloud, item_format=ItemFormat.CRN_ONLY))["spec"]


def test_a_key_for_several_resources_lists_all_of_them() -> None:
    spec = item(replace(KEY, resources=(KAFKA, REGISTRY)))["spec"]

    first = resource_reference(KAFKA, ItemFormat.CURRENT, ORG)
    second = resource_reference(REGISTRY, ItemFormat.CURRENT, ORG)
    assert second.pop("api_version") == "srcm/v3"
    assert spec["resource"] == first
    assert spec["resources"] == [first, second]


def test_owners_are_users_lack_their_kind_or_are_missing() -> None:
    owned = item(replace(KEY, owner=ADA))
    minimal = item(replace(KEY, owner=ADA, item_format=ItemFormat.MINIMAL))
    internal = item(replace(KEY, owner=None))

    assert owned["spec"]["owner"]["kind"] == "User"
    assert owned["spec"]["owner"]["related"] == f"{API}/iam/v2/users/u-aaaaaa"
    assert owned["metadata"]["resource_name"] == f"{CRN}/user=u-aaaaaa/api-key={KEY.id}"
    assert minimal["spec"]["owner"] == {
        "id": "u-aaaaaa",
        "related": f"{API}/iam/v2/users/u-aaaaaa",
        "resource_name": f"{CRN}/user=u-aaaaaa",
    }
    assert "owner" not in internal["spec"]
    assert internal["metadata"]["resource_name"] == f"{CRN}/api-key={KEY.id}"


def test_legacy_and_minimal_items_differ_in_their_members() -> None:
    old = item(replace(KEY, item_format=ItemFormat.LEGACY, expires_at=CREATED, display_name=None))
    minimal = item(replace(KEY, item_format=ItemFormat.MINIMAL, updated_at=None, description=None))

    assert old["spec"]["secret"] == ""
    assert old["spec"]["expires_at"] == "2025-11-03T08:12:44.90821Z"
    assert "display_name" not in old["spec"]
    assert old["metadata"]["self"] == f"http://api.confluent.cloud/v2/api-keys/{KEY.id}"
    assert old["spec"]["owner"]["resource_name"] == (
        "crn://api.confluent.cloud/service-account=sa-bbbbbb"
    )
    assert minimal["metadata"] == {
        "self": f"{API}/iam/v2/api-keys/{KEY.id}",
        "created_at": "2025-11-03T08:12:44.90821+00:00",
    }
    assert "description" not in minimal["spec"]


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "1970-01-02T00:00:00Z"),
        (0.5, "1970-01-02T00:00:00.5Z"),
        (0.09422, "1970-01-02T00:00:00.09422Z"),
        (0.000001, "1970-01-02T00:00:00.000001Z"),
        (0.527572, "1970-01-02T00:00:00.527572Z"),
    ],
)
def test_timestamps_have_microseconds_without_trailing_zeros(fraction: float, text: str) -> None:
    assert timestamp(86_400 + fraction, ItemFormat.CURRENT) == text


def test_documented_timestamps_have_a_space_and_an_offset() -> None:
    assert timestamp(86_400.25, ItemFormat.DOCUMENTED) == "1970-01-01 17:00:00.25-07:00"


def test_the_zero_time_of_go_can_be_rendered() -> None:
    assert timestamp(-62_135_596_800.0, ItemFormat.CURRENT) == "0001-01-01T00:00:00Z"


def environment_in(reference: dict[str, str]) -> str:
    """Return the environment as a client finds it: in the field, the CRN or the id."""
    named = re.search(r"/environment=([^/]+)", reference["resource_name"])
    in_id = re.match(r"(env-[^.]+)\.", reference["id"])
    return (
        reference.get("environment") or (named[1] if named else "") or (in_id[1] if in_id else "")
    )


def test_a_key_knows_which_environments_its_item_contains() -> None:
    organization = seeded_organization(seed=1, keys=3000, now=EPOCH)
    seen = set()
    for key in organization.keys.values():
        for resource in key.resources:
            reference = resource_reference(resource, key.item_format, organization.id)
            seen.add((resource.kind, key.item_format))
            assert key.visible_environment_id(resource) == environment_in(reference)  # type: ignore[arg-type]

    assert {(kind, s) for kind in ("kafka", "flink-region") for s in ItemFormat} <= seen
