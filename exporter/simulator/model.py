"""The values that a simulated organization consists of. All of them are immutable.

Each holds the truth in one form; :mod:`exporter.simulator.key_items` and
:mod:`exporter.simulator.other_items` render it as the JSON of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

UNSCOPED_KINDS = frozenset({"cloud", "global", "tableflow"})
"""Kinds of resources outside every environment; the id of such a resource is its kind."""
UNRECOGNIZED_KIND = "futurething"
"""A kind that no client recognizes; the provider may add kinds at any time."""


class ItemFormat(IntEnum):
    """The variants of a key's JSON (``docs/confluent-cloud-api.md#resource-kinds``, ``#crns``).

    They differ in where an item names the environment of a resource: in its field, in its CRN, in
    both, or nowhere. Where a Flink region lacks the field, its id contains the environment.
    """

    CURRENT = 0
    """Complete: field and CRN name the environment."""
    LEGACY = 1
    """``srcm/v2``, long Flink ids, Kafka without an environment, Cloud as ``resource: null``."""
    CRN_ONLY = 2
    """No environment field; Cloud without the member ``resource``."""
    MINIMAL = 3
    """No ``api_version``, owner kind or key CRN; only a Flink id contains an environment."""
    DOCUMENTED = 4
    """As the published examples: ``https`` CRNs, a space and an offset in timestamps."""


@dataclass(frozen=True, slots=True)
class SimulatedOwner:
    """The owner of a key. ``kind``: ``service-account`` or ``user``."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class SimulatedResource:
    """What a key gives access to.

    ``kind``: ``kafka``, ``schema-registry``, ``ksql``, ``flink-region``, ``tableflow``, ``cloud``,
    ``global``, or anything else in lower case. A Flink region's ``id`` is ``cloud.region``.
    ``environment_id`` is empty where the resource is in no environment of the organization.
    """

    id: str
    kind: str
    environment_id: str = ""


CLOUD = SimulatedResource("cloud", "cloud")
GLOBAL = SimulatedResource("global", "global")
TABLEFLOW = SimulatedResource("tableflow", "tableflow")


@dataclass(frozen=True, slots=True)
class SimulatedKey:
    """One API key. Times are Unix seconds with at most six decimals.

    ``owner`` is None for the provider's internal keys. ``resources`` is never empty; legacy keys
    have more than one. None in an optional text or time leaves the member out of the JSON, an
    empty text is sent as one (``docs/confluent-cloud-api.md#api-key-fields``).
    """

    id: str
    owner: SimulatedOwner | None
    resources: tuple[SimulatedResource, ...]
    created_at: float
    updated_at: float | None = None
    expires_at: float | None = None
    display_name: str | None = None
    description: str | None = None
    item_format: ItemFormat = ItemFormat.CURRENT

    def visible_environment_id(self, resource: SimulatedResource) -> str:
        """Return the environment of ``resource`` if this key's item contains it, else ``""``.

        A hidden one can only be found in the lists of clusters.
        """
        hidden = hides_environment(self.item_format, resource.kind)
        return "" if hidden else resource.environment_id


def hides_environment(item_format: ItemFormat, kind: str) -> bool:
    """Whether neither id, field nor CRN of a resource of ``kind`` names its environment."""
    match item_format:
        case ItemFormat.LEGACY:
            return kind == "kafka"
        case ItemFormat.MINIMAL:
            return kind != "flink-region"
        case _:
            return False


@dataclass(frozen=True, slots=True)
class SimulatedServiceAccount:
    """A service account as its list shows it; ``description`` None is left out."""

    id: str
    display_name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class SimulatedUser:
    """A user as the list shows it; members that are None are left out."""

    id: str
    email: str
    full_name: str | None = None
    auth_type: str | None = None


@dataclass(frozen=True, slots=True)
class SimulatedEnvironment:
    """An environment. ``package``: its Stream Governance package, empty without one."""

    id: str
    name: str
    package: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedCluster:
    """A cluster in an environment.

    ``kind``: ``kafka``, ``schema-registry`` or ``ksql``. ``name``: its display name, left out where
    it is empty. ``tier``: ``Basic``, ``Standard``, ``Enterprise``, ``Dedicated`` or ``Freight`` of
    a Kafka cluster, the package of a Schema Registry. ``cloud`` is in upper case. A ksqlDB cluster
    runs on ``kafka_cluster_id`` as the service account ``identity_id``.
    """

    id: str
    kind: str
    environment_id: str
    name: str = ""
    cloud: str = "AWS"
    region: str = "us-east-1"
    tier: str = "Basic"
    kafka_cluster_id: str = ""
    identity_id: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedRegion:
    """A region that offers Flink. ``id``: as ``aws.us-east-1``; ``name``: for people."""

    id: str
    name: str


Record: TypeAlias = (
    SimulatedKey
    | SimulatedServiceAccount
    | SimulatedUser
    | SimulatedEnvironment
    | SimulatedCluster
    | SimulatedRegion
)
"""What is listed and can be changed; quotas are computed."""


@dataclass(frozen=True, slots=True)
class SimulatedQuota:
    """An applied quota (``docs/confluent-cloud-api.md#quotas``). ``id`` is its code.

    ``scope`` is in upper case. ``limit`` is the applied one. ``usage`` None is not reported, which
    is not zero. ``owner_id``, ``environment_id`` and ``resource_id`` name what it applies to, and
    are empty where it applies to more.
    """

    id: str
    scope: str
    limit: int
    usage: int | None
    owner_id: str = ""
    environment_id: str = ""
    resource_id: str = ""
    default_limit: int = 0
