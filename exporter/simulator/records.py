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
