"""The JSON Schema and the example: both show every setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from exporter.config import ApiKeyCredentials, json_schema, load, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config import Config

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
INVALID = Path(__file__).parent / "invalid"
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}
SCHEMA: dict[str, Any] = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _parse(text: str) -> Config:
    return parse(text, file="f", folder=Path("/nowhere"), environ=ENVIRON)


def _uncommented() -> dict[str, Any]:
    """Return the example with its alternatives switched on as well: contradictory but complete."""
    text = re.sub(r"^( *)#(?=(- )?[a-z_]+:)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    data = yaml.safe_load(text)
    assert isinstance(data, dict)
    return data


def _in_schema(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path of each setting below ``schema``, and its own schema."""
    for choice in schema.get("anyOf", ()):
        yield from _in_schema(choice, place)
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for name, child in schema.get("properties", {}).items():
        yield f"{place}{name}", child
        yield from _in_schema(child, f"{place}{name}.")
    if "items" in schema:
        yield from _in_schema(schema["items"], place)


def _in_data(data: object, place: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        for name, child in data.items():
            yield f"{place}{name}"
            yield from _in_data(child, f"{place}{name}.")
    elif isinstance(data, list):
        for child in data:
            yield from _in_data(child, place)


def test_the_example_is_a_valid_configuration() -> None:
    (found,) = load(EXAMPLE, environ=ENVIRON).organizations
    assert found.name == "acme"
    assert isinstance(found.credentials, ApiKeyCredentials)
    assert found.credentials.read()[0] == "KEYID"


def test_the_example_shows_the_defaults() -> None:
    shortest = _parse("organizations: [{name: acme}]")
    assert load(EXAMPLE, environ=ENVIRON) == shortest
    uncommented = {"defaults": _uncommented()["defaults"], "organizations": [{"name": "acme"}]}
    assert _parse(yaml.safe_dump(uncommented)) == shortest


def test_the_example_shows_every_setting() -> None:
    settings = {place for place, _ in _in_schema(SCHEMA)}
    assert "defaults.rate_limit.reserve" in settings
    assert "organizations.credentials.api_secret_file" in settings
    # What an organization may override is shown once, in the defaults; only overrides are shown in
    # the organization, because the defaults have none.
    repeated = {
        place.replace("defaults.", "organizations.")
        for place in settings
        if place.startswith("defaults.")
    }
    shown = set(_in_data(_uncommented()))
    overrides = ("organizations.policy.overrides", "defaults.policy.overrides")
    shown |= {place.replace(*overrides) for place in shown}
    assert settings - repeated - shown == set()


def test_the_example_shows_nothing_else() -> None:
    assert set(_in_data(_uncommented())) - {place for place, _ in _in_schema(SCHEMA)} == set()


def test_the_example_is_valid_for_editors() -> None:
    VALIDATOR.validate(yaml.safe_load(EXAMPLE.read_text()))


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "confluent-api-keys-exporter" in SCHEMA["title"]


def test_every_setting_is_described() -> None:
    for place, setting in _in_schema(SCHEMA):
        if "description" not in setting:
            setting = SCHEMA["$defs"][setting["$ref"].removeprefix("#/$defs/")]  # noqa: PLW2901
        assert len(setting["description"]) > 20, place
        assert setting["description"] == setting["description"].strip(), place


def test_durations_are_strings_with_readable_defaults() -> None:
    settings = dict(_in_schema(SCHEMA))
    interval = settings["defaults.refresh_interval"]
    assert (interval["type"], interval["default"]) == ("string", "5m")
    age = settings["organizations.policy.max_age"]
    assert age["default"] == "90d"
    assert {choice["type"] for choice in age["anyOf"]} == {"string", "null"}


@pytest.mark.parametrize(
    "name",
    [
        "credentials-beside-their-section",
        "credentials-incomplete",
        "credentials-in-defaults",
        "credentials-kind",
        "credentials-of-several-kinds",
        "credentials-secret-in-file",
        "credentials-twice",
        "credentials-unknown",
        "defaults-empty",
        "duration-kind",
        "duration-notation",
        "duration-number",
        "filter-kinds",
        "missing-space",
        "name-characters",
        "name-missing",
        "name-number",
        "name-too-long",
        "no-organization",
        "no-organizations",
        "number-bounds",
        "number-kind",
        "oauth-client-id",
        "oauth-incomplete",
        "oauth-kind",
        "oauth-scope",
        "oauth-secret-in-file",
        "oauth-unknown",
        "organization-text",
        "organizations-empty",
        "organizations-mapping",
        "overrides",
        "pool-id",
        "pool-incomplete",
        "quotas-include",
        "section-kind",
        "teams",
        "teams-kind",
        "tls-ca-file",
        "unknown-at-top",
        "unknown-in-defaults",
        "unknown-in-organization",
        "url-without-scheme",
    ],
)
def test_an_editor_marks_invalid_values(name: str) -> None:
    data = yaml.safe_load((INVALID / f"{name}.yaml").read_text())
    assert not VALIDATOR.is_valid(data)
