"""Renders keys as the JSON items of their listing, in the format that each key names.

The API describes the same thing in several ways, and clients have to cope with all of them: see
``docs/confluent-cloud-api.md#api-key-fields``, ``#resource-kinds`` and ``#crns``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from exporter.simulator.model import UNSCOPED_KINDS, ItemFormat, hides_environment
from exporter.simulator.names import ksql_name

if TYPE_CHECKING:
    from exporter.simulator.model import SimulatedKey, SimulatedOwner, SimulatedResource

Json: TypeAlias = "str | int | list[Json] | dict[str, Json] | None"
Item: TypeAlias = "dict[str, Json]"

ORIGIN = "https://api.confluent.cloud"
_CRN_ROOT = {
    ItemFormat.CURRENT: "crn://api.confluent.cloud",
    ItemFormat.LEGACY: "crn://api.confluent.cloud",
    ItemFormat.CRN_ONLY: "crn://confluent.cloud",
    ItemFormat.MINIMAL: "crn://api.confluent.cloud",
    ItemFormat.DOCUMENTED: "https://api.confluent.cloud",
}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 # the time zone is appended as text
_DOCUMENTED_OFFSET = timedelta(hours=-7)


def key_item(key: SimulatedKey, organization_id: str) -> Item:
    """Return the item of ``GET /iam/v2/api-keys`` for ``key``."""
    item_format = key.item_format
    legacy = item_format is ItemFormat.LEGACY
    root = "http://api.confluent.cloud/v2" if legacy else f"{ORIGIN}/iam/v2"
    created_at = timestamp(key.created_at, item_format)
    metadata: Item = {"self": f"{root}/api-keys/{key.id}", "created_at": created_at}
    if key.updated_at is not None:
        edited = key.updated_at != key.created_at
        metadata["updated_at"] = timestamp(key.updated_at, item_format) if edited else created_at
    if item_format is not ItemFormat.MINIMAL:
        metadata["resource_name"] = _key_crn(key, organization_id)
    spec: Item = {}
    if key.display_name is not None:
        spec["display_name"] = key.display_name
    if key.description is not None:
        spec["description"] = key.description
    if legacy:
        spec["secret"] = ""
    if key.owner is not None:
        spec["owner"] = _owner_reference(key.owner, item_format, organization_id)
    spec |= _resource_members(key, organization_id)
    if key.expires_at is not None:
        spec["expires_at"] = timestamp(key.expires_at, item_format)
    return {
        "api_version": "iam/v2",
        "kind": "ApiKey",
        "id": key.id,
        "metadata": metadata,
        "spec": spec,
    }


def timestamp(seconds: float, item_format: ItemFormat) -> str:
    """Return Unix ``seconds`` in the API's notation: microseconds without trailing zeros."""
    moment = _EPOCH + timedelta(seconds=seconds)
    separator, offset = "T", "Z"
    if item_format is ItemFormat.DOCUMENTED:
        moment += _DOCUMENTED_OFFSET
        separator, offset = " ", "-07:00"
    elif item_format is ItemFormat.MINIMAL:
        offset = "+00:00"
    text = moment.isoformat(separator)
    return (text.rstrip("0") if moment.microsecond else text) + offset


def resource_reference(
    resource: SimulatedResource, item_format: ItemFormat, organization_id: str
) -> Item:
    """Return ``spec.resource``, or one of ``spec.resources``."""
    if resource.kind in UNSCOPED_KINDS:
        reference = _unscoped(resource.kind, item_format)
    else:
        kind, api_version, related, segment = _scoped(resource, item_format)
        environment = resource.environment_id
        root = f"{_CRN_ROOT[item_format]}/organization={organization_id}"
        if environment and not _lacks_crn_segment(resource.kind, item_format):
            root += f"/environment={environment}"
        reference = {
            "id": rendered_id(resource, item_format),
            "kind": kind,
            "api_version": api_version,
            "related": f"{ORIGIN}/{related}",
            "resource_name": f"{root}/{segment}",
        }
        if environment and not _lacks_field(resource.kind, item_format):
            reference["environment"] = environment
    if item_format is ItemFormat.MINIMAL:
        del reference["api_version"]
    return reference


def rendered_id(resource: SimulatedResource, item_format: ItemFormat) -> str:
    """Return the id of ``resource`` in an item: some formats prefix the id of a Flink region."""
    prefixed = item_format in {ItemFormat.LEGACY, ItemFormat.MINIMAL}
    if prefixed and resource.kind == "flink-region" and resource.environment_id:
        return f"{resource.environment_id}.{resource.id}"
    return resource.id


def _key_crn(key: SimulatedKey, organization_id: str) -> str:
    root, owner = _CRN_ROOT[key.item_format], ""
    if key.item_format is ItemFormat.DOCUMENTED:
        root = "crn://confluent.cloud"
    elif key.owner is not None:
        owner = f"/{_owner_segment(key.owner)}"
    return f"{root}/organization={organization_id}{owner}/api-key={key.id}"


def _owner_segment(owner: SimulatedOwner) -> str:
    return f"{'user' if owner.kind == 'user' else 'service-account'}={owner.id}"


def _owner_reference(owner: SimulatedOwner, item_format: ItemFormat, organization_id: str) -> Item:
    user = owner.kind == "user"
    # CRNs of accounts occur with and without the organization.
    root = _CRN_ROOT[item_format]
    if item_format is not ItemFormat.LEGACY:
        root += f"/organization={organization_id}"
    reference: Item = {
        "id": owner.id,
        "related": f"{ORIGIN}/iam/v2/{'users' if user else 'service-accounts'}/{owner.id}",
        "resource_name": f"{root}/{_owner_segment(owner)}",
    }
    if item_format is not ItemFormat.MINIMAL:
        reference |= {"api_version": "iam/v2", "kind": "User" if user else "ServiceAccount"}
    return reference


def _resource_members(key: SimulatedKey, organization_id: str) -> Item:
    """Return ``spec.resource`` and ``spec.resources`` as far as the item has them."""
    if len(key.resources) == 1 and key.resources[0].kind == "cloud":
        if key.item_format is ItemFormat.LEGACY:
            return {"resource": None}
        if key.item_format is ItemFormat.CRN_ONLY:
            return {}
    first, *others = (
        resource_reference(resource, key.item_format, organization_id) for resource in key.resources
    )
    if not others:
        return {"resource": first}
    for reference in others:
        reference.pop("api_version", None)
    return {"resource": first, "resources": [first, *others]}


def _lacks_field(kind: str, item_format: ItemFormat) -> bool:
    if item_format is ItemFormat.LEGACY:
        return kind in {"kafka", "flink-region"}
    return item_format in {ItemFormat.CRN_ONLY, ItemFormat.MINIMAL}


def _lacks_crn_segment(kind: str, item_format: ItemFormat) -> bool:
    if item_format is ItemFormat.LEGACY and kind == "schema-registry":
        return True
    return item_format is ItemFormat.MINIMAL or hides_environment(item_format, kind)


def _scoped(resource: SimulatedResource, item_format: ItemFormat) -> tuple[str, str, str, str]:
    """Return ``kind``, ``api_version``, the path of ``related`` and the last segment of the CRN."""
    identity = resource.id
    match resource.kind:
        case "kafka":
            segment = "cloud-cluster"
            if item_format is ItemFormat.LEGACY or not resource.environment_id:
                segment = "cluster"
            elif item_format is ItemFormat.MINIMAL:
                segment = "kafka"
            return "Cluster", "cmk/v2", f"cmk/v2/clusters/{identity}", f"{segment}={identity}"
        case "schema-registry":
            segment = f"schema-registry={identity}"
            if item_format in {ItemFormat.CURRENT, ItemFormat.DOCUMENTED}:
                return "Cluster", "srcm/v3", f"srcm/v3/clusters/{identity}", segment
            return "SchemaRegistry", "srcm/v2", f"srcm/v2/schema-registries/{identity}", segment
        case "ksql":
            segment = f"ksqldb={identity}"
            if item_format is ItemFormat.LEGACY:
                segment = f"ksql={ksql_name(identity)}"
            kind = "ksqlDB"
            if item_format in {ItemFormat.CRN_ONLY, ItemFormat.DOCUMENTED}:
                kind = "Cluster"
            return kind, "ksqldbcm/v2", f"ksqldbcm/v2/clusters/{identity}", segment
        case "flink-region":
            cloud = identity.partition(".")[0]
            related = f"fcpm/v2/regions?cloud={cloud}"
            return "Region", "fcpm/v2", related, f"flink-region={identity}"
        case kind:
            return kind.capitalize(), "rtce/v1", f"rtce/v1/things/{identity}", f"{kind}={identity}"


def _unscoped(kind: str, item_format: ItemFormat) -> Item:
    """Return a reference whose links are a bare word instead of a URI."""
    api_version = {"cloud": "iam/v2", "global": "global/v1", "tableflow": "tableflow/v1"}[kind]
    if kind == "global" and item_format is ItemFormat.LEGACY:
        api_version = "iam/v2"
    return {
        "id": "CLOUD" if kind == "cloud" and item_format is ItemFormat.MINIMAL else kind,
        "kind": kind.capitalize(),
        "api_version": api_version,
        "related": kind,
        "resource_name": kind,
    }
