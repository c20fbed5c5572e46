"""API keys with normalized owners and resources.

The API describes the same owner or resource in several ways, see
``docs/confluent-cloud-api.md#owner-kinds`` and ``#resource-kinds``. Prefixes of ids are the most
stable part and take precedence over the kind and the API group. API versions are ignored.
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
_SINGLETON_KINDS = frozenset({"cloud", "global", "tableflow"})
"""Kinds with a single resource, whose id is the kind."""
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
"""The kinds of Confluent's CLI. Other kinds are named as in the API."""
UNKNOWN_KIND = "unknown"
"""The kind of all other resources in counters, because their series are never removed."""

MAX_TEXT = 255
"""Characters of a display name or description; the API does not limit them."""


# Not tracked by the garbage collector (gc=False), because they cannot be part of a cycle. Otherwise
# it would traverse a hundred thousand of them and delay scrapes.


class Owner(msgspec.Struct, frozen=True, order=True, gc=False):
    """The owner of a key; ``kind``: ``service-account``, ``user``, ``internal`` or ``unknown``."""

    id: str
    kind: str


class Resource(msgspec.Struct, frozen=True, order=True, gc=False):
    """A resource that a key gives access to.

    ``kind``: one of :data:`RESOURCE_KINDS`, another kind of the API in lower case, or ``unknown``.
    ``environment_id`` is empty if the key does not have it.
    """

    id: str
    kind: str
    environment_id: str

    def is_cluster(self) -> bool:
        """Whether it is a cluster, which belongs to one environment."""
        return self.kind in CLUSTER_KINDS


class Key(msgspec.Struct, frozen=True, gc=False):
    """One API key. ``resources`` is never empty: a key without any is a Cloud key."""

    id: str
    owner: Owner
    resources: tuple[Resource, ...]
    created_at: float | None = None
    """Unix seconds as reported by the API; None if missing or not a time."""
    expires_at: float | None = None
    """As ``created_at``."""
    described: bool = True
    """Whether it has a display name or a description that is not blank. Stored, because stripping
    the texts of all keys at each refresh takes long."""
    display_name: str = ""
    """At most :data:`MAX_TEXT` characters, as ``description``. Missing texts are empty."""
    description: str = ""


_INTERNAL = Owner("", "internal")
_CLOUD = Resource("cloud", "cloud", "")


def key_from(item: wire.ApiKey) -> Key:
    """Return the key in ``item``."""
    spec = item.spec
    owner, resource = spec.owner, spec.resource
    if resource is not None and not spec.resources:  # as most keys are
        resources: tuple[Resource, ...] = _single_resource(
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
        _short(spec.display_name),
        _short(spec.description),
    )


def _short(text: str | None) -> str:
    """Return ``text`` with at most :data:`MAX_TEXT` characters; blank only if all of it is."""
    if not text or len(text) <= MAX_TEXT:
        return text or ""
    return text.strip()[:MAX_TEXT]


def _distinct(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return ``resources`` without duplicates, preferring those with an environment.

    A key with both ``resource`` and ``resources`` has the first one twice, see
    ``docs/confluent-cloud-api.md#api-key-fields``.
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
    return _normalized(
        reference.id or "",
        reference.kind or "",
        reference.api_version or "",
        reference.environment or "",
        reference.resource_name or "",
    )


@lru_cache(maxsize=4096)
def _single_resource(*members: str | None) -> tuple[Resource]:
    """Return the only resource of a key, given the fields of :func:`_normalized`."""
    return (_normalized(*(member or "" for member in members)),)


@lru_cache(maxsize=4096)
def _normalized(
    resource_id: str, kind: str, api_version: str, environment: str, crn: str
) -> Resource:
    resource_kind = _resource_kind(resource_id, kind.lower(), api_version.partition("/")[0])
    if resource_kind in _SINGLETON_KINDS:
        return Resource(resource_kind, resource_kind, "")
    environment = environment or _environment_of(crn)
    if resource_kind == "flink-region" and (old := _OLD_REGION_ID.fullmatch(resource_id)):
        return Resource(old[2], resource_kind, environment or old[1])
    return Resource(resource_id, resource_kind, environment)


def _resource_kind(resource_id: str, kind: str, group: str) -> str:
    if resource_id.lower() in _SINGLETON_KINDS:
        return resource_id.lower()
    for prefix, named in _ID_PREFIXES.items():
        if resource_id.startswith(prefix):
            return named
    if kind == "cluster":
        return _CLUSTER_GROUPS.get(group, "cluster")
    return _KINDS.get(kind, kind) or "unknown"


def _environment_of(crn: str) -> str:
    """Return the environment id in ``crn``, or an empty string."""
    for segment in crn.split("/"):
        key, separator, value = segment.partition("=")
        if separator and key == "environment":
            return value
    return ""
