"""Validation by the provider's OpenAPI files: strict for requests, lenient for responses.

The files are outside the repository; :data:`needs_openapi` skips tests where they are absent.
Responses may deviate as the real ones do: formats are not checked, so that ``related`` may be a
word, ``owner`` may be missing, and ``nullable`` applies to references too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import yaml
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Schema: TypeAlias = "dict[str, Any]"

_DIRECTORY = Path(__file__).resolve().parents[1].parent / "shared" / "openapi"
_FAILURE = {"$ref": "#/components/schemas/Failure"}

needs_openapi = pytest.mark.skipif(
    not _DIRECTORY.is_dir(), reason="the provider's OpenAPI files are not beside the repository"
)


def request_problems(
    method: str, path: str, query: Mapping[str, str] | Iterable[tuple[str, str]]
) -> list[str]:
    """Return the problems of a request as sentences.

    Methods, paths and parameters must be documented, with values of the documented types and
    bounds. ``path`` excludes any prefix. ``query``: a mapping, or pairs, which may repeat.
    """
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    given = Counter(name for name, _ in pairs)
    found = _find(path)
    if found is None:
        return [f"the path {path} is not documented"]
    document, item = found
    operation = item.get(method.lower())
    if operation is None:
        return [f"{method} {path} is not documented"]
    parameters = _parameters(document, item, operation)
    problems = [
        f"the parameter {name} is not documented" for name in given if name not in parameters
    ]
    for name, parameter in parameters.items():
        schema = parameter["schema"]
        if given[name] > 1 and schema.get("type") != "array":
            problems.append(f"the parameter {name} is given more than once")
        if parameter.get("required") and not given[name]:
            problems.append(f"the parameter {name} is required")
        problems += [
            f"{name}: {problem}"
            for other, text in pairs
            if other == name
            for problem in _value_problems(document, schema, text)
        ]
    return problems


def documented_parameters(path: str) -> set[str]:
    """Return the names of the query parameters of a GET of ``path``."""
    found = _find(path)
    assert found is not None, f"the path {path} is not documented"
    document, item = found
    return set(_parameters(document, item, item["get"]))


def response_problems(path: str, status: int, body: bytes) -> list[str]:
    """Return the problems of the response to a GET, as sentences.

    An error whose status is not documented for ``path`` must have the documented envelope.
    """
    found = _find(path)
    if found is None and status < 400:
        return [f"the path {path} is not documented"]
    document, item = found or next(_documents())
    responses = item.get("get", {}).get("responses", {}) if found else {}
    response = responses.get(str(status))
    if response is None and status < 400:
        return [f"the status {status} is not documented for {path}"]
    if response is not None and "content" not in response:
        return []  # a 429, whose body is not documented
    schema = response["content"]["application/json"]["schema"] if response else _FAILURE
    try:
        instance = json.loads(body)
    except ValueError as error:
        return [f"the body is not JSON: {error}"]
    return _problems(document, schema, instance)


@cache
def _paths() -> list[tuple[re.Pattern[str], Schema, Schema]]:
    found = []
    for file in sorted(_DIRECTORY.glob("*.yaml")):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for template, item in document["paths"].items():
            literal = re.split(r"\{[^}]*\}", template)
            pattern = re.compile("[^/]+".join(map(re.escape, literal)))
            found.append((pattern, document, item))
    return found


def _documents() -> Iterator[tuple[Schema, Schema]]:
    return ((document, item) for _, document, item in _paths())


def _find(path: str) -> tuple[Schema, Schema] | None:
    for pattern, document, item in _paths():
        if pattern.fullmatch(path):
            return document, item
    return None


def _parameters(document: Schema, item: Schema, operation: Schema) -> dict[str, Schema]:
    return {
        parameter["name"]: {**parameter, "schema": _resolved(document, parameter["schema"])}
        for parameter in (*item.get("parameters", ()), *operation.get("parameters", ()))
        if parameter["in"] == "query"
    }


def _resolved(document: Schema, schema: Schema) -> Schema:
    """Return the schema that ``schema`` refers to, or itself."""
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name] if name else schema


def _value_problems(document: Schema, schema: Schema, text: str) -> list[str]:
    """Return the problems of a parameter's value, given as the text in the query."""
    instance: object = text
    if schema.get("type") == "integer":
        if not re.fullmatch(r"-?\d+", text, re.ASCII):
            return [f"{text!r} is not an integer"]
        instance = int(text)
    elif schema.get("type") == "boolean":
        instance = {"true": True, "false": False}.get(text, text)
    elif schema.get("type") == "array":
        instance = [text]
    return _problems(document, schema, instance)


def _problems(document: Schema, schema: Schema, instance: object) -> list[str]:
    root = {**_lenient(schema), "components": _lenient(document["components"])}
    errors = Draft202012Validator(root).iter_errors(instance)
    return [f"{error.json_path}: {error.message}" for error in errors]


def _lenient(node: Any) -> Any:
    """Translate a schema of OpenAPI 3.0 into lenient JSON Schema."""
    if isinstance(node, list):
        return [_lenient(child) for child in node]
    if not isinstance(node, dict):
        return node
    parts = node.get("allOf")
    nullable = node.get("nullable") is True
    if isinstance(parts, list) and {"nullable": True} in parts:
        nullable = True
        node = {**node, "allOf": [part for part in parts if part != {"nullable": True}]}
    schema = {
        name: _lenient(child)
        for name, child in node.items()
        if name not in {"format", "example", "nullable"} or isinstance(child, dict)
    }
    if isinstance(required := schema.get("required"), list):
        schema["required"] = [name for name in required if name != "owner"]
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema
