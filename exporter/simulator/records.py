"""What a simulated organization is made of: values that never change.

They hold the truth in one spelling each; :mod:`exporter.simulator.spelling` turns them into what
the API says. A test counts here and compares with what a client made of the JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PLACELESS_KINDS = frozenset({"cloud", "global", "tableflow"})
"""Resources that are no object in an environment: their id is their kind (facts §1.5)."""
UNHEARD_KIND = "futurething"
"""A kind that no client knows; clients are told to expect such (facts §1.3)."""


class Spelling(IntEnum):
    """How one key's item is written; each is a mixture that facts §1.3 to §1.6 allow.

    The environment of a resource stands in its field, in its CRN, in both, or nowhere; flink
    regions carry it in the id where the field is missing.
    """

    CURRENT = 0
    """Everything in its place: field and CRN name the environment."""
    OLD = 1
    """``srcm/v2``, long flink ids, Kafka without any environment, Cloud as ``resource: null``."""
    CRN_ONLY = 2
    """No environment field, the CRN tells; Cloud without the member ``resource``."""
    BARE = 3
    """No ``api_version``, no kind of the owner, no CRN of the key, hardly an environment."""
    EXAMPLE = 4
    """As the published examples: ``https`` CRNs, a space and an offset in timestamps."""


@dataclass(frozen=True, slots=True)
class SimulatedOwner:
    """Whose a key is. ``kind``: ``service-account`` or ``user``."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class SimulatedResource:
    """What a key opens.

    ``kind``: ``kafka``, ``schema-registry``, ``ksql``, ``flink-region``, ``tableflow``, ``cloud``,
    ``global``, or anything else in lower case. A flink region's ``id`` is ``cloud.region``.
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

    ``owner`` is None for the provider's internal keys (facts §0.4). ``resources`` is never empty;
    more than one stands for a key of a legacy customer (facts §0.6). None in an optional text or
    time leaves the member out of the JSON, an empty text is sent as one.
    """

    id: str
    owner: SimulatedOwner | None
    resources: tuple[SimulatedResource, ...]
    created_at: float
    updated_at: float | None = None
    expires_at: float | None = None
    display_name: str | None = None
    description: str | None = None
    spelling: Spelling = Spelling.CURRENT

    def visible_environment_id(self, resource: SimulatedResource) -> str:
        """Return the environment of ``resource`` as far as this key's item tells it, else ``""``.

        What is hidden here can only be found in the lists of clusters (facts §0.8).
        """
        return "" if hides_environment(self.spelling, resource.kind) else resource.environment_id


def hides_environment(spelling: Spelling, kind: str) -> bool:
    """Whether neither id, field nor CRN of a resource of ``kind`` says where it is."""
    match spelling:
        case Spelling.OLD:
            return kind == "kafka"
        case Spelling.BARE:
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
    """A user as the list shows it; what is None is left out (facts §2)."""

    id: str
    email: str
    full_name: str | None = None
    auth_type: str | None = None


@dataclass(frozen=True, slots=True)
class SimulatedEnvironment:
    """An environment. ``package``: of its Stream Governance; empty where it has none."""

    id: str
    name: str
    package: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedCluster:
    """A cluster in an environment.

    ``kind``: ``kafka``, ``schema-registry`` or ``ksql``, as in :class:`SimulatedResource`. ``name``
    is its display name, left out where it is empty. ``tier``: ``Basic``, ``Standard``,
    ``Enterprise``, ``Dedicated`` or ``Freight`` of a Kafka cluster, the package of a Schema
    Registry. ``cloud`` is in capitals, as in the lists. A ksqlDB cluster runs on
    ``kafka_cluster_id`` as the account ``identity_id``.
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
    """A region that offers Flink: ``aws.us-east-1`` and the name that people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SimulatedQuota:
    """An applied quota (facts §3): ``id`` is its code, ``limit`` the one that is applied.

    ``scope`` is in capitals. ``usage`` None is not reported, which is not zero. ``owner_id``,
    ``environment_id`` and ``resource_id`` name what it applies to, and are empty where it applies
    to more.
    """

    id: str
    scope: str
    limit: int
    usage: int | None
    owner_id: str = ""
    environment_id: str = ""
    resource_id: str = ""
    default_limit: int = 0
