"""The forms of a key in the API, one item each, with the expected key.

Expectations were written by hand: owner id and kind, then id, kind and environment per resource.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ORG = "crn://api.confluent.cloud/organization=11111111-2222-4333-8444-555555555555"


class Shape(NamedTuple):
    name: str
    item: dict[str, Any]
    owner: tuple[str, str]
    resources: list[tuple[str, str, str]]


def owner(owner_id: str, **changes: Any) -> dict[str, Any]:
    kind = "User" if owner_id.startswith("u") else "ServiceAccount"
    return {
        "api_version": "iam/v2",
        "id": owner_id,
        "kind": kind,
        "related": f"https://api.confluent.cloud/iam/v2/x/{owner_id}",
        "resource_name": f"{ORG}/x={owner_id}",
    } | changes


def item(key_id: str, **spec: Any) -> dict[str, Any]:
    return {
        "api_version": "iam/v2",
        "kind": "ApiKey",
        "id": key_id,
        "metadata": {
            "self": f"https://api.confluent.cloud/iam/v2/api-keys/{key_id}",
            "resource_name": f"{ORG}/service-account=sa-aaa111/api-key={key_id}",
            "created_at": "2025-01-02T03:04:05.67891Z",
            "updated_at": "2025-01-02T03:04:05.67891Z",
        },
        "spec": {"display_name": "", "description": 'a "quoted"\nline', **spec},
    }


SA, USER = owner("sa-aaa111"), owner("u-bbb222")
IS_SA, IS_USER = ("sa-aaa111", "service-account"), ("u-bbb222", "user")
KAFKA = {
    "api_version": "cmk/v2",
    "environment": "env-prod1",
    "id": "lkc-kkk333",
    "kind": "Cluster",
    "related": "https://api.confluent.cloud/cmk/v2/clusters/lkc-kkk333",
    "resource_name": f"{ORG}/environment=env-prod1/cloud-cluster=lkc-kkk333",
}
IS_KAFKA = ("lkc-kkk333", "kafka", "env-prod1")

SHAPES = [
    Shape("kafka", item("K1", owner=SA, resource=KAFKA), IS_SA, [IS_KAFKA]),
    Shape(
        "kafka, old CRN, no environment",
        item(
            "K2",
            owner=SA,
            resource={
                "api_version": "cmk/v2",
                "id": "lkc-old444",
                "kind": "Cluster",
                "related": "https://api.confluent.cloud/cmk/v2/clusters/lkc-old444",
                "resource_name": f"{ORG}/cluster=lkc-old444",
            },
        ),
        IS_SA,
        [("lkc-old444", "kafka", "")],
    ),
    Shape(
        "cloud in bare words",
        item(
            "K3",
            owner=SA,
            resource={
                "api_version": "iam/v2",
                "id": "cloud",
                "kind": "Cloud",
                "related": "cloud",
                "resource_name": "cloud",
            },
        ),
        IS_SA,
        [("cloud", "cloud", "")],
    ),
    Shape(
        "cloud as null", item("K4", owner=USER, resource=None), IS_USER, [("cloud", "cloud", "")]
    ),
    Shape(
        "global",
        item(
            "K5",
            owner=SA,
            resource={
                "api_version": "global/v1",
                "id": "global",
                "kind": "Global",
                "related": "global",
                "resource_name": "global",
            },
        ),
        IS_SA,
        [("global", "global", "")],
    ),
    Shape(
        "schema registry, old: environment only as a field",
        item(
            "K6",
            owner=SA,
            resource={
                "api_version": "srcm/v2",
                "environment": "env-prod1",
                "id": "lsrc-sss555",
                "kind": "SchemaRegistry",
                "related": "https://api.confluent.cloud/srcm/v2/schema-registries/lsrc-sss555",
                "resource_name": f"{ORG}/schema-registry=lsrc-sss555",
            },
        ),
        IS_SA,
        [("lsrc-sss555", "schema-registry", "env-prod1")],
    ),
    Shape(
        "schema registry, new: a Cluster of another API group",
        item(
            "K7",
            owner=SA,
            resource={
                "api_version": "srcm/v3",
                "environment": "env-dev22",
                "id": "lsrc-ttt666",
                "kind": "Cluster",
                "related": "https://api.confluent.cloud/srcm/v3/clusters/lsrc-ttt666",
                "resource_name": f"{ORG}/environment=env-dev22/schema-registry=lsrc-ttt666",
            },
        ),
        IS_SA,
        [("lsrc-ttt666", "schema-registry", "env-dev22")],
    ),
    Shape(
        "ksqlDB, environment only in the CRN",
        item(
            "K8",
            owner=USER,
            resource={
                "api_version": "ksqldbcm/v2",
                "id": "lksqlc-qqq777",
                "kind": "ksqlDB",
                "related": "https://api.confluent.cloud/ksqldbcm/v2/clusters/lksqlc-qqq777",
                "resource_name": f"{ORG}/environment=env-prod1/ksqldb=lksqlc-qqq777",
            },
        ),
        IS_USER,
        [("lksqlc-qqq777", "ksql", "env-prod1")],
    ),
    Shape(
        "flink, old id with the environment inside",
        item(
            "K9",
            owner=USER,
            resource={
                "api_version": "fcpm/v2",
                "id": "env-prod1.aws.us-east-1",
                "kind": "Region",
                "related": "https://api.confluent.cloud/fcpm/v2/regions?cloud=aws",
                "resource_name": f"{ORG}/flink-region=aws.us-east-1",
            },
        ),
        IS_USER,
        [("aws.us-east-1", "flink-region", "env-prod1")],
    ),
    Shape(
        "flink, new id",
        item(
            "K10",
            owner=SA,
            resource={
                "api_version": "fcpm/v2",
                "environment": "env-dev22",
                "id": "azure.westeurope",
                "kind": "Region",
                "related": "https://api.confluent.cloud/fcpm/v2/regions?cloud=azure",
                "resource_name": f"{ORG}/environment=env-dev22/flink-region=azure.westeurope",
            },
        ),
        IS_SA,
        [("azure.westeurope", "flink-region", "env-dev22")],
    ),
    Shape(
        "tableflow",
        item(
            "K11",
            owner=SA,
            resource={
                "api_version": "tableflow/v1",
                "id": "tableflow",
                "kind": "Tableflow",
                "related": "tableflow",
                "resource_name": "tableflow",
            },
        ),
        IS_SA,
        [("tableflow", "tableflow", "")],
    ),
    Shape(
        "several resources: the first is named twice, one lacks its API group and environment",
        item(
            "K12",
            owner=owner("u-gone88"),
            resource=KAFKA,
            resources=[
                KAFKA,
                {
                    "id": "lsrc-sss555",
                    "kind": "SchemaRegistry",
                    "related": "https://api.confluent.cloud/srcm/v2/schema-registries/lsrc-sss555",
                    "resource_name": f"{ORG}/schema-registry=lsrc-sss555",
                },
            ],
        ),
        ("u-gone88", "user"),
        [IS_KAFKA, ("lsrc-sss555", "schema-registry", "")],
    ),
    Shape("no owner", item("K13", resource=KAFKA), ("", "internal"), [IS_KAFKA]),
    Shape(
        "audit log cluster",
        item(
            "K14",
            owner=owner("sa-audit9"),
            resource={
                "api_version": "cmk/v2",
                "id": "lkc-aud000",
                "kind": "Cluster",
                "related": "https://api.confluent.cloud/cmk/v2/clusters/lkc-aud000",
                "resource_name": f"{ORG}/cluster=lkc-aud000",
            },
        ),
        ("sa-audit9", "service-account"),
        [("lkc-aud000", "kafka", "")],
    ),
    Shape(
        "expiring",
        item("K15", owner=SA, resource=KAFKA, expires_at="2026-12-31T00:00:00Z"),
        IS_SA,
        [IS_KAFKA],
    ),
    Shape(
        "a kind nobody has heard of, authority confluent.cloud",
        item(
            "K16",
            owner=SA,
            resource={
                "api_version": "moon/v1",
                "id": "crater-1",
                "kind": "MoonBase",
                "related": "https://api.confluent.cloud/moon/v1/bases/crater-1",
                "resource_name": "crn://confluent.cloud/organization=1/environment=env-prod1/x=y",
            },
        ),
        IS_SA,
        [("crater-1", "moonbase", "env-prod1")],
    ),
    Shape("resource missing", item("K17", owner=SA), IS_SA, [("cloud", "cloud", "")]),
    Shape(
        "CLOUD in capitals",
        item("K18", owner=SA, resource={"id": "CLOUD", "kind": "Cloud"}),
        IS_SA,
        [("cloud", "cloud", "")],
    ),
    Shape(
        "global of the API group iam",
        item("K19", owner=SA, resource={"id": "global", "api_version": "iam/v2", "kind": "Global"}),
        IS_SA,
        [("global", "global", "")],
    ),
    Shape(
        "ksqlDB as a Cluster",
        item(
            "K20",
            owner=SA,
            resource={"id": "lksqlc-q1", "api_version": "ksqldbcm/v2", "kind": "Cluster"},
        ),
        IS_SA,
        [("lksqlc-q1", "ksql", "")],
    ),
    Shape(
        "a known prefix without a kind",
        item("K21", owner=SA, resource={"id": "lsrc-x", "environment": "env-1"}),
        IS_SA,
        [("lsrc-x", "schema-registry", "env-1")],
    ),
    Shape(
        "a Cluster with an id of a new form, told by its API group",
        item("K22", owner=SA, resource={"id": "new-1", "api_version": "cmk/v3", "kind": "Cluster"}),
        IS_SA,
        [("new-1", "kafka", "")],
    ),
    Shape(
        "flink, old id and a field",
        item(
            "K23",
            owner=SA,
            resource={"id": "env-a.gcp.eu.west", "kind": "Region", "environment": "env-a"},
        ),
        IS_SA,
        [("gcp.eu.west", "flink-region", "env-a")],
    ),
    Shape(
        "nothing but an empty object",
        item("K24", owner=owner("u11", kind=None), resource={}),
        ("u11", "user"),
        [("", "unknown", "")],
    ),
    Shape(
        "an owner of no known prefix, told by its kind",
        item("K25", owner=owner("x-1", kind="ServiceAccount"), resource=None),
        ("x-1", "service-account"),
        [("cloud", "cloud", "")],
    ),
    Shape(
        "an owner that holds no keys as far as we know",
        item("K26", owner=owner("pool-1", kind="IdentityPool"), resource=None),
        ("pool-1", "unknown"),
        [("cloud", "cloud", "")],
    ),
    Shape(
        "only resources, in two spellings of one cluster",
        item(
            "K27",
            owner=SA,
            resources=[{"id": "lkc-a", "kind": "Cluster"}, {"id": "lkc-a", "environment": "env-1"}],
        ),
        IS_SA,
        [("lkc-a", "kafka", "env-1")],
    ),
    Shape(
        "one flink region in two environments is two resources",
        item(
            "K28",
            owner=SA,
            resources=[
                {"id": "aws.x", "kind": "Region", "environment": "env-1"},
                {"id": "aws.x", "kind": "Region", "environment": "env-2"},
            ],
        ),
        IS_SA,
        [("aws.x", "flink-region", "env-1"), ("aws.x", "flink-region", "env-2")],
    ),
]
