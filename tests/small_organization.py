"""A small organization whose rows and findings were worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.cli.report_fetch import OrganizationReport, fetch_reports
from exporter.simulator import (
    CLOUD,
    ItemFormat,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedKey,
    SimulatedOrganization,
    SimulatedOwner,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUser,
)
from tests.harness import Harness
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.report import Row
    from exporter.simulator.model import Record

DAY = 86_400.0
SA_1, SA_2 = SimulatedOwner("sa-1", "service-account"), SimulatedOwner("sa-2", "service-account")
GONE, ADA = SimulatedOwner("sa-9", "service-account"), SimulatedOwner("u-1", "user")
LKC_1 = SimulatedResource("lkc-1", "kafka", "env-1")
LKC_2 = SimulatedResource("lkc-2", "kafka", "env-2")
LSRC_1 = SimulatedResource("lsrc-1", "schema-registry", "env-1")


def key(
    key_id: str,
    owner: SimulatedOwner | None,
    *resources: SimulatedResource,
    days: float,
    expires: float | None = None,
    **more: Any,
) -> SimulatedKey:
    """Return a key of the given age and time to expiry, in days."""
    texts = {"display_name": "a name", "description": "a purpose", **more}
    return SimulatedKey(
        key_id,
        owner,
        resources,
        created_at=EPOCH - days * DAY,
        expires_at=None if expires is None else EPOCH + expires * DAY,
        **texts,
    )


KEYS = (
    key("A1", SA_1, LKC_1, days=400),  # the third newest of sa-1 for lkc-1
    key("A2", SA_1, LKC_1, days=100),
    key("A3", SA_1, LKC_1, days=10.9),
    key("B1", ADA, CLOUD, days=90, expires=14, display_name=None, description=" \n"),
    key("C1", GONE, LSRC_1, days=30, expires=0),
    key("D1", None, LKC_2, days=EPOCH / DAY, item_format=ItemFormat.MINIMAL),  # created in 1970
    key("E1", SA_2, LKC_1, LSRC_1, days=200),  # exempted below
)
ORDER = ["D1", "A1", "E1", "A2", "B1", "C1", "A3"]
POLICY = "policy: {exempt: {api_keys: [E*]}}"
NAMES = "names: {users: true}"
SURPLUS = "max_keys_per_owner_and_resource"


def listed() -> list[Record]:
    return [
        SimulatedServiceAccount("sa-1", "orders"),
        SimulatedServiceAccount("sa-2", "fraud, v2"),
        SimulatedUser("u-1", "ada@example.com", "Ada Example"),
        SimulatedEnvironment("env-1", "prod"),
        SimulatedEnvironment("env-2", "dev"),
        SimulatedCluster("lkc-1", "kafka", "env-1", "main"),
        SimulatedCluster("lkc-2", "kafka", "env-2", "scratch"),
        SimulatedCluster("lsrc-1", "schema-registry", "env-1"),
    ]


def small_world(
    keys: Iterable[SimulatedKey] = KEYS, *, settings: str = NAMES, **more: Any
) -> Harness:
    harness = Harness(keys, settings=f"{POLICY}, {settings}".removesuffix(", "), **more)
    organization = SimulatedOrganization([*harness.organization.keys.values(), *listed()])
    harness.accounts[0].organization = organization
    harness.organizations = {**harness.organizations, "acme": organization}
    return harness


def nobody(organization: str, keys: int, *, complete: bool) -> None:
    del organization, keys, complete


async def reports(harness: Harness) -> Sequence[OrganizationReport]:
    return await fetch_reports(harness.exporter.hosts(), clock=harness.clock, on_progress=nobody)


async def rows(harness: Harness) -> list[Row]:
    return [row for report in await reports(harness) for row in report.rows]


def kafka(name: str | None = "main") -> dict[str, Any]:
    return {"id": "lkc-1", "kind": "kafka", "environment_id": "env-1", "name": name}


REGISTRY = {"id": "lsrc-1", "kind": "schema-registry", "environment_id": "env-1", "name": None}
TEXTS = {"display_name": "a name", "description": "a purpose"}
OF_SA_1 = {
    "owner_id": "sa-1",
    "owner_kind": "service-account",
    "owner_name": "orders",
    "team": None,
}
EXPECTED = [
    {
        "organization": "acme",
        "api_key_id": "D1",
        "owner_id": "",
        "owner_kind": "internal",
        "owner_name": None,
        "team": None,
        "resources": [
            {"id": "lkc-2", "kind": "kafka", "environment_id": "env-2", "name": "scratch"}
        ],
        **TEXTS,
        "created_at": None,
        "expires_at": None,
        "age_days": None,
        "policies": [],
        "exempted": [],
    },
    {
        "organization": "acme",
        "api_key_id": "A1",
        **OF_SA_1,
        "resources": [kafka()],
        **TEXTS,
        "created_at": "2025-08-17T14:13:20Z",
        "expires_at": None,
        "age_days": 400,
        "policies": ["max_age", SURPLUS],
        "exempted": [],
    },
    {
        "organization": "acme",
        "api_key_id": "E1",
        "owner_id": "sa-2",
        "owner_kind": "service-account",
        "owner_name": "fraud, v2",
        "team": None,
        "resources": [kafka(), REGISTRY],
        **TEXTS,
        "created_at": "2026-03-05T14:13:20Z",
        "expires_at": None,
        "age_days": 200,
        "policies": [],
        "exempted": ["max_age"],
    },
    {
        "organization": "acme",
        "api_key_id": "A2",
        **OF_SA_1,
        "resources": [kafka()],
        **TEXTS,
        "created_at": "2026-06-13T14:13:20Z",
        "expires_at": None,
        "age_days": 100,
        "policies": ["max_age"],
        "exempted": [],
    },
    {
        "organization": "acme",
        "api_key_id": "B1",
        "owner_id": "u-1",
        "owner_kind": "user",
        "owner_name": "Ada Example",
        "team": None,
        "resources": [{"id": "cloud", "kind": "cloud", "environment_id": "", "name": None}],
        "display_name": None,
        "description": " \n",
        "created_at": "2026-06-23T14:13:20Z",
        "expires_at": "2026-10-05T14:13:20Z",
        "age_days": 90,  # not more than max_age
        "policies": ["expires_within", "undescribed", "user_owned"],
        "exempted": [],
    },
    {
        "organization": "acme",
        "api_key_id": "C1",
        "owner_id": "sa-9",
        "owner_kind": "service-account",
        "owner_name": None,
        "team": None,
        "resources": [REGISTRY],
        **TEXTS,
        "created_at": "2026-08-22T14:13:20Z",
        "expires_at": "2026-09-21T14:13:20Z",
        "age_days": 30,
        "policies": ["expired", "unknown_owner"],
        "exempted": [],
    },
    {
        "organization": "acme",
        "api_key_id": "A3",
        **OF_SA_1,
        "resources": [kafka()],
        **TEXTS,
        "created_at": "2026-09-10T16:37:20Z",
        "expires_at": None,
        "age_days": 10,
        "policies": [],
        "exempted": [],
    },
]
