"""The JSON Schemas of Kubernetes that the package ``kubernetes-validate`` contains."""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_SCHEMAS = files("kubernetes_validate") / "kubernetes-json-schema"
_SUFFIX = "-local-strict"  # unknown fields are problems


def newest_versions(count: int) -> list[str]:
    """Return the newest minor versions with schemas, such as ``1.34``, in ascending order."""
    return list(_folders())[-count:]


def problems_of(manifest: dict[str, Any], *, version: str) -> list[str]:
    """Return the problems of a manifest that Kubernetes ``version`` would report."""
    group, _, api_version = manifest["apiVersion"].rpartition("/")
    group = group.partition(".")[0]
    name = "-".join(filter(None, [manifest["kind"].lower(), group, api_version]))
    return [
        f"{error.json_path}: {error.message}"
        for error in _validator(name, version).iter_errors(manifest)
    ]


@functools.cache
def _folders() -> dict[str, Traversable]:
    """By minor version: the folder of the latest patch release."""
    numbers = sorted(
        tuple(map(int, folder.name.removeprefix("v").removesuffix(_SUFFIX).split(".")))
        for folder in _SCHEMAS.iterdir()
        if folder.name.endswith(_SUFFIX)
    )
    return {
        f"{major}.{minor}": _SCHEMAS / f"v{major}.{minor}.{patch}{_SUFFIX}"
        for major, minor, patch in numbers
    }


@functools.cache
def _validator(name: str, version: str) -> Draft202012Validator:
    schema = json.loads((_folders()[version] / f"{name}.json").read_text())
    return Draft202012Validator(schema, registry=_definitions(version))


@functools.cache
def _definitions(version: str) -> Registry[Any]:
    definitions = json.loads((_folders()[version] / "_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()
