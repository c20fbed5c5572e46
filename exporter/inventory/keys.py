"""A key with its owner and its resources in one spelling each.

The API spells the same thing in several ways (facts §0.7, §1.4, §1.5). Ids decide first, because
their prefixes are the most stable part; then the kind and the API group, never an exact version.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from exporter.inventory.timestamps import timestamp_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.confluent import wire

_OWNER_ID = re.compile(r"(?:(sa-)|u(?:-|\d)).")
_OWNER_KIND = {"serviceaccount": "service-account", "user": "user"}
_PLACELESS = frozenset({"cloud", "global", "tableflow"})
"""Resources that are no object of their own: the id is the kind."""
_ID_PREFIXES = {"lkc-": "kafka", "lsrc-": "schema-registry", "lksqlc-": "ksql"}
_KINDS = {
    "cloud": "cloud",
    "global": "global",
    "tableflow": "tableflow",
    "schemaregistry": "schema-registry",
    "ksqldb": "ksql",
    "region": "flink-region",
}
_CLUSTER_GROUPS = {"cmk": "kafka", "srcm": "schema-registry", "ksqldbcm": "ksql"}
_OLD_REGION_ID = re.compile(r"(env-[^.]+)\.(.+)")
CLUSTER_KINDS = frozenset(_CLUSTER_GROUPS.values())


OWNER_KINDS = ("service-account", "user", "internal", "unknown")
RESOURCE_KINDS = (
    "kafka",
    "schema-registry",
    "ksql",
    "flink-region",
    "tableflow",
    "cloud",
    "global",
)
"""Those that the vendor's CLI knows; others come as the API names them."""
UNKNOWN_KIND = "unknown"
"""The kind of all other resources in counters, whose series are never removed."""


# Out of sight of the garbage collector, which would otherwise walk a hundred thousand of these, and
# of the tuples they are in, again and again, and keep scrapes waiting for it; they cannot be part
# of a cycle.


class Owner(msgspec.Struct, frozen=True, order=True, gc=False):
    """Whose a key is. ``kind``: ``service-account``, ``user``, ``internal`` or ``unknown``."""

    id: str
    kind: str


class Resource(msgspec.Struct, frozen=True, order=True, gc=False):
    """What a key opens.

    ``kind`` as the vendor's CLI prints it: ``kafka``, ``schema-registry``, ``ksql``,
    ``flink-region``, ``tableflow``, ``cloud``, ``global``; anything else in lower case, or
    ``unknown``. ``environment_id`` is empty where the key does not say.
    """

    id: str
    kind: str
    environment_id: str

    def is_cluster(self) -> bool:
        """Whether the id stands for one object that lives in one environment."""
        return self.kind in CLUSTER_KINDS


class Key(msgspec.Struct, frozen=True, gc=False):
    """One API key. ``resources`` is never empty: a key for nothing named is a Cloud key."""

    id: str
    owner: Owner
    resources: tuple[Resource, ...]
    created_at: float | None = None
    """Unix seconds, as the API says; None where it says nothing, or nothing that is a time."""
    expires_at: float | None = None
    """As ``created_at``."""
    described: bool = True
    """Whether it has a display name or a description."""


_INTERNAL = Owner("", "internal")
_CLOUD = Resource("cloud", "cloud", "")


def key_of(item: wire.ApiKey) -> Key:
    """Return the key that ``item`` describes."""
    spec = item.spec
    owner, resource = spec.owner, spec.resource
    if resource is not None and not spec.resources:  # as most keys are
        resources: tuple[Resource, ...] = _alone(
            resource.id, resource.kind, resource.api_version, resource.environment,
            resource.resource_name,
        )  # fmt: skip
    else:
        references = [*([resource] if resource else []), *(spec.resources or [])]
        resources = _distinct(map(_resource, references)) or (_CLOUD,)
    return Key(
        item.id,
        _INTERNAL if owner is None else _owner(owner.id, owner.kind),
        resources,
        None if item.metadata is None else timestamp_of(item.metadata.created_at),
        None if spec.expires_at is None else timestamp_of(spec.expires_at),
        bool((spec.display_name or "").strip() or (spec.description or "").strip()),
    )


def _distinct(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Drop repetitions; of two that differ in the environment alone, keep the one that has it.

    A key with both ``resource`` and ``resources`` names the first one twice (facts §0.6).
    """
    found: dict[tuple[str, str, str], Resource] = {}
    for resource in resources:
        place = "" if resource.is_cluster() else resource.environment_id
        known = found.setdefault((resource.id, resource.kind, place), resource)
        if not known.environment_id:
            found[resource.id, resource.kind, place] = resource
    return tuple(found.values())


@lru_cache(maxsize=4096)
def _owner(owner_id: str | None, kind: str | None) -> Owner:
    owner_id, kind = owner_id or "", kind or ""
    if match := _OWNER_ID.match(owner_id):
        return Owner(owner_id, "service-account" if match[1] else "user")
    return Owner(owner_id, _OWNER_KIND.get(kind.lower(), "unknown"))


def _resource(reference: wire.Reference) -> Resource:
    return _normalised(
        reference.id or "",
        reference.kind or "",
        reference.api_version or "",
        reference.environment or "",
        reference.resource_name or "",
    )


@lru_cache(maxsize=4096)
def _alone(*members: str | None) -> tuple[Resource]:
    """Return the one resource of a key, from the members of its reference in their order."""
    return (_normalised(*(member or "" for member in members)),)


@lru_cache(maxsize=4096)
def _normalised(
    resource_id: str, kind: str, api_version: str, environment: str, crn: str
) -> Resource:
    resource_kind = _resource_kind(resource_id, kind.lower(), api_version.partition("/")[0])
    if resource_kind in _PLACELESS:
        return Resource(resource_kind, resource_kind, "")
    environment = environment or _environment_of(crn)
    if resource_kind == "flink-region" and (old := _OLD_REGION_ID.fullmatch(resource_id)):
        return Resource(old[2], resource_kind, environment or old[1])
    return Resource(resource_id, resource_kind, environment)


def _resource_kind(resource_id: str, kind: str, group: str) -> str:
    if resource_id.lower() in _PLACELESS:
        return resource_id.lower()
    for prefix, named in _ID_PREFIXES.items():
        if resource_id.startswith(prefix):
            return named
    if kind == "cluster":
        return _CLUSTER_GROUPS.get(group, "cluster")
    return _KINDS.get(kind, kind) or "unknown"


def _environment_of(crn: str) -> str:
    """Return the environment that ``crn`` names (facts §1.6), or nothing."""
    for segment in crn.split("/"):
        key, separator, value = segment.partition("=")
        if separator and key == "environment":
            return value
    return ""
