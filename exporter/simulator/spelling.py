"""A record as the JSON item of the listing, in the spelling that the record names.

Shapes after facts §1.3 to §1.6: the same thing is written in several ways by the real API, and a
client has to survive all of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

from exporter.simulator.records import (
    PLACELESS_KINDS,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    Spelling,
    hides_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = "str | int | list[Json] | dict[str, Json] | None"
Item: TypeAlias = "dict[str, Json]"

ORIGIN = "https://api.confluent.cloud"
_CRN_ROOT = {
    Spelling.CURRENT: "crn://api.confluent.cloud",
    Spelling.OLD: "crn://api.confluent.cloud",
    Spelling.CRN_ONLY: "crn://confluent.cloud",
    Spelling.BARE: "crn://api.confluent.cloud",
    Spelling.EXAMPLE: "https://api.confluent.cloud",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXAMPLE_ZONE = timezone(timedelta(hours=-7))


def item_of(key: SimulatedKey, *, organization_id: str) -> Item:
    """Return the item that ``GET /iam/v2/api-keys`` shows of ``key``."""
    spelling = key.spelling
    old = spelling is Spelling.OLD
    path = "http://api.confluent.cloud/v2" if old else f"{ORIGIN}/iam/v2"
    metadata: Item = {
        "self": f"{path}/api-keys/{key.id}",
        "created_at": timestamp(key.created_at, spelling),
    }
    if key.updated_at is not None:
        metadata["updated_at"] = timestamp(key.updated_at, spelling)
    if spelling is not Spelling.BARE:
        metadata["resource_name"] = _key_crn(key, organization_id)
    spec: Item = {}
    for name, text in (("display_name", key.display_name), ("description", key.description)):
        if text is not None:
            spec[name] = text
    if old:
        spec["secret"] = ""
    if key.owner is not None:
        spec["owner"] = owner_reference(key.owner, spelling, organization_id)
    spec |= _resources_of(key, organization_id)
    if key.expires_at is not None:
        spec["expires_at"] = timestamp(key.expires_at, spelling)
    return {
        "api_version": "iam/v2",
        "kind": "ApiKey",
        "id": key.id,
        "metadata": metadata,
        "spec": spec,
    }


def timestamp(seconds: float, spelling: Spelling) -> str:
    """Return Unix ``seconds`` as the API writes times: microseconds, trailing zeros trimmed."""
    moment = _EPOCH + timedelta(seconds=seconds)
    if spelling is Spelling.EXAMPLE:
        moment = moment.astimezone(_EXAMPLE_ZONE)
    separator = " " if spelling is Spelling.EXAMPLE else "T"
    text = moment.replace(tzinfo=None).isoformat(separator, "seconds")
    if moment.microsecond:
        text += f".{moment.microsecond:06}".rstrip("0")
    return text + {Spelling.EXAMPLE: "-07:00", Spelling.BARE: "+00:00"}.get(spelling, "Z")


def owner_reference(owner: SimulatedOwner, spelling: Spelling, organization_id: str) -> Item:
    """Return ``spec.owner``."""
    user = owner.kind == "user"
    # An organization is not always named in the CRN of an account (facts §1.6).
    organization = "" if spelling is Spelling.OLD else f"/organization={organization_id}"
    reference: Item = {
        "id": owner.id,
        "related": f"{ORIGIN}/iam/v2/{'users' if user else 'service-accounts'}/{owner.id}",
        "resource_name": f"{_CRN_ROOT[spelling]}{organization}/{_owner_segment(owner)}",
    }
    if spelling is not Spelling.BARE:
        reference |= {"api_version": "iam/v2", "kind": "User" if user else "ServiceAccount"}
    return reference


def resource_reference(
    resource: SimulatedResource, spelling: Spelling, organization_id: str
) -> Item:
    """Return ``spec.resource``, or one of ``spec.resources``."""
    if resource.kind in PLACELESS_KINDS:
        reference = _placeless(resource.kind, spelling)
    else:
        spell = _PLACED.get(resource.kind, _unheard)
        kind, api_version, related, segment = spell(resource, spelling)
        place = resource.environment_id
        has_field = place and not _lacks_field(resource.kind, spelling)
        in_crn = place and not _lacks_crn_segment(resource.kind, spelling)
        environment = f"/environment={place}" if in_crn else ""
        root = f"{_CRN_ROOT[spelling]}/organization={organization_id}"
        reference = {
            "id": spelled_id(resource, spelling),
            "kind": kind,
            "api_version": api_version,
            "related": f"{ORIGIN}/{related}",
            "resource_name": f"{root}{environment}/{segment}",
        }
        if has_field:
            reference["environment"] = place
    if spelling is Spelling.BARE:
        del reference["api_version"]
    return reference


def spelled_id(resource: SimulatedResource, spelling: Spelling) -> str:
    """Return the id under which ``resource``, in some environment, appears in an item."""
    long = spelling in {Spelling.OLD, Spelling.BARE}
    if resource.kind == "flink-region" and long and resource.environment_id:
        return f"{resource.environment_id}.{resource.id}"
    return resource.id


def _key_crn(key: SimulatedKey, organization_id: str) -> str:
    spelling = key.spelling
    owner = "" if key.owner is None else f"/{_owner_segment(key.owner)}"
    if spelling is Spelling.EXAMPLE:
        root, owner = "crn://confluent.cloud", ""
    else:
        root = _CRN_ROOT[spelling]
    return f"{root}/organization={organization_id}{owner}/api-key={key.id}"


def _owner_segment(owner: SimulatedOwner) -> str:
    return f"{'user' if owner.kind == 'user' else 'service-account'}={owner.id}"


def _resources_of(key: SimulatedKey, organization_id: str) -> Item:
    if len(key.resources) == 1 and key.resources[0].kind == "cloud":
        if key.spelling is Spelling.OLD:
            return {"resource": None}
        if key.spelling is Spelling.CRN_ONLY:
            return {}
    references = [
        resource_reference(resource, key.spelling, organization_id) for resource in key.resources
    ]
    members: Item = {"resource": references[0]}
    if len(references) > 1:
        further = [{**reference} for reference in references]
        for reference in further[1:]:
            reference.pop("api_version", None)
        members["resources"] = [*further]
    return members


def _lacks_field(kind: str, spelling: Spelling) -> bool:
    if spelling is Spelling.OLD:
        return kind in {"kafka", "flink-region"}
    return spelling in {Spelling.CRN_ONLY, Spelling.BARE}


def _lacks_crn_segment(kind: str, spelling: Spelling) -> bool:
    if spelling is Spelling.OLD and kind == "schema-registry":
        return True
    return spelling is Spelling.BARE or hides_environment(spelling, kind)


_Spelled: TypeAlias = "tuple[str, str, str, str]"
"""``kind``, ``api_version``, the path of ``related``, the last segment of the CRN."""


def _kafka(resource: SimulatedResource, spelling: Spelling) -> _Spelled:
    segment = {Spelling.OLD: "cluster", Spelling.BARE: "kafka"}.get(spelling, "cloud-cluster")
    if not resource.environment_id:
        segment = "cluster"
    identity = resource.id
    return "Cluster", "cmk/v2", f"cmk/v2/clusters/{identity}", f"{segment}={identity}"


def _schema_registry(resource: SimulatedResource, spelling: Spelling) -> _Spelled:
    segment = f"schema-registry={resource.id}"
    if spelling in {Spelling.CURRENT, Spelling.EXAMPLE}:
        return "Cluster", "srcm/v3", f"srcm/v3/clusters/{resource.id}", segment
    related = f"srcm/v2/schema-registries/{resource.id}"
    return "SchemaRegistry", "srcm/v2", related, segment


def _ksql(resource: SimulatedResource, spelling: Spelling) -> _Spelled:
    # The value of `ksql` is the cluster's name (facts §1.6).
    segment = (
        f"ksql=app_{resource.id[-6:]}" if spelling is Spelling.OLD else f"ksqldb={resource.id}"
    )
    kind = "Cluster" if spelling in {Spelling.CRN_ONLY, Spelling.EXAMPLE} else "ksqlDB"
    return kind, "ksqldbcm/v2", f"ksqldbcm/v2/clusters/{resource.id}", segment


def _flink_region(resource: SimulatedResource, spelling: Spelling) -> _Spelled:
    del spelling
    cloud = resource.id.partition(".")[0]
    return "Region", "fcpm/v2", f"fcpm/v2/regions?cloud={cloud}", f"flink-region={resource.id}"


def _unheard(resource: SimulatedResource, spelling: Spelling) -> _Spelled:
    del spelling
    kind = resource.kind
    return kind.capitalize(), "rtce/v1", f"rtce/v1/things/{resource.id}", f"{kind}={resource.id}"


_PLACED: dict[str, Callable[[SimulatedResource, Spelling], _Spelled]] = {
    "kafka": _kafka,
    "schema-registry": _schema_registry,
    "ksql": _ksql,
    "flink-region": _flink_region,
}


def _placeless(kind: str, spelling: Spelling) -> Item:
    """Return a reference whose links are a bare word (facts §0.5)."""
    api_version = {"cloud": "iam/v2", "global": "global/v1", "tableflow": "tableflow/v1"}[kind]
    if kind == "global" and spelling is Spelling.OLD:
        api_version = "iam/v2"
    return {
        "id": "CLOUD" if kind == "cloud" and spelling is Spelling.BARE else kind,
        "kind": kind.capitalize(),
        "api_version": api_version,
        "related": kind,
        "resource_name": kind,
    }
