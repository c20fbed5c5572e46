"""Translates pydantic's errors into messages for the user.

A message quotes only short numbers: any other value may be a misplaced secret.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

from exporter.config.credentials_section import CredentialsSection
from exporter.config.fields import LONGEST_NUMBER
from exporter.config.oauth_section import OAuthSection
from exporter.config.policy_section import RULES, Override
from exporter.config.schema import ConfigFile, Organization, Settings
from exporter.config.yaml_document import kind_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from exporter.config.yaml_document import KeyPath

_TYPES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a string",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping of settings",
    "dict_type": "a mapping of settings",
}
_MISSING = {
    "organizations": "expected a list with an entry for each organization",
    "name": "expected a unique name",
    "token_url": "expected the URL of the token endpoint of your identity provider",
    "client_id": "expected the id of the OAuth client",
}
_SECRETS = {
    "api_secret": "`api_secret_file` or `api_secret_env` in `credentials`",
    "client_secret": "`client_secret_file` or `client_secret_env` in `credentials.oauth`",
}
"""By setting that must not exist: the settings to use instead."""
_OTHER_SECTIONS: dict[str, type[BaseModel]] = {
    "credentials": CredentialsSection,
    "oauth": OAuthSection,
    "overrides": Override,
}
"""By setting, the sections that its annotation does not show."""
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_YAML_1_1_BOOLEANS = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
}
"""The booleans of YAML 1.1 that are strings in YAML 1.2."""
_UNQUOTED = "(?i:true|false|[-+]?[0-9]+([.][0-9]+)?)"
"""Values that are strings only because of their quotes."""


def problem_message(error: ErrorDetails, *, model: type[BaseModel]) -> str:
    """Return what is wrong and what is expected; ``model`` is the model that was validated."""
    kind, path, value = error["type"], error["loc"], error["input"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "missing":
        return f"is missing; {_MISSING.get(str(path[-1]), 'it is required')}"
    if kind in _BOUNDS:
        key, relation = _BOUNDS[kind]
        shown = value if len(str(value)) <= LONGEST_NUMBER else "out of range"
        return f"is {shown}; expected {relation} {error['ctx'][key]:.15g}"
    if kind in _TYPES:
        nothing = ", or null" if path[:1] == ("policy",) and path[-1] in RULES else ""
        return f"is {kind_of(value)}; expected {_TYPES[kind]}{nothing}{hint_for(kind, value)}"
    return "is not valid; see the output of the `schema` command"


def hint_for(kind: str, value: object) -> str:
    """Return how to write ``value`` for the pydantic error ``kind``; empty if unknown."""
    match kind, value:
        case "bool_type", str() if value.lower() in _YAML_1_1_BOOLEANS:
            return f" (write `{_YAML_1_1_BOOLEANS[value.lower()]}` for `{value}`)"
        case "bool_type" | "int_type" | "float_type", str() if re.fullmatch(_UNQUOTED, value):
            return " (remove the quotes)"
        case "string_type", bool() | int() | float():
            return " (put it in quotes)"
        case "tuple_type", str():
            return " (put it in brackets, `[…]`)"
        case "list_type", dict():
            return " (start each entry with `- `)"
        case "dict_type", str() if ":" in value:
            return " (is a space missing after a colon?)"
        case "model_type" | "dict_type", None:
            return ", or remove it"
    return ""


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> str:
    *parents, key = map(str, path)
    allowed = _settings_at(parents, model)
    locations = _locations_of_settings()
    if key in _SECRETS:
        return (
            f"secrets are not allowed in this file; use {_SECRETS[key]}, and rotate the secret that"
            " was saved here"
        )
    if ":" in key:
        hint = "; is a space missing after a colon?"
    elif key in locations:
        hint = f"; it belongs in {locations[key]}."
    elif close := difflib.get_close_matches(key.lower(), allowed, n=1):
        hint = f"; did you mean `{close[0]}`?"
    else:
        hint = "."
    return f"unknown setting{hint} Expected here: {', '.join(allowed)}"


def _settings_at(parents: list[str], model: type[BaseModel]) -> list[str]:
    for parent in parents:
        if parent.isdecimal():  # an entry of a list
            continue
        annotation = model.model_fields[parent].annotation
        if parent in _OTHER_SECTIONS:
            model = _OTHER_SECTIONS[parent]
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)


def _locations_of_settings() -> dict[str, str]:
    """Return the location of each setting, for settings on the wrong level."""
    locations = dict.fromkeys(Organization.model_fields, "an entry of `organizations`")
    locations |= dict.fromkeys(Settings.model_fields, "`defaults` or an entry of `organizations`")
    locations |= dict.fromkeys(ConfigFile.model_fields, "the top level")
    sections = "credentials credentials.oauth filters names policy quotas rate_limit tls usage"
    for section in sections.split():
        for name in _settings_at(section.split("."), Organization):
            locations.setdefault(name, f"`{section}`")
    return locations
