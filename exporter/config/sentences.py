"""What pydantic found, in sentences for the person who wrote the configuration.

A sentence quotes a value only where it is a short number: anything else might be a secret in the
wrong place.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

from exporter.config.document import kind_of
from exporter.config.fields import LONGEST_NUMBER
from exporter.config.schema import Document, Organization, Settings
from exporter.config.sources import CredentialsSection

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from exporter.config.document import Place

_TYPES = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping of settings",
    "dict_type": "a mapping of settings",
}
_MISSING = {
    "organizations": "expected a list with an entry for each organization",
    "name": "expected a name, unlike those of the other organizations",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_TRUTH = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
"""What YAML 1.1 took for truth values."""
_BARE = "(?i:true|false|[-+]?[0-9]+([.][0-9]+)?)"
"""What is text only because of its quotes."""


def sentence(error: ErrorDetails, *, model: type[BaseModel]) -> str:
    """Return what is wrong and what is expected. ``model`` is what the document was read as."""
    kind, place, value = error["type"], error["loc"], error["input"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "extra_forbidden":
        return _unknown_key(place, model)
    if kind == "missing":
        return f"is missing; {_MISSING.get(str(place[-1]), 'it is required')}"
    if kind in _BOUNDS:
        key, relation = _BOUNDS[kind]
        shown = value if len(str(value)) <= LONGEST_NUMBER else "out of range"
        return f"is {shown}; expected {relation} {error['ctx'][key]:.15g}"
    if kind in _TYPES:
        nothing = ", or null" if place[:1] == ("policy",) and len(place) > 1 else ""
        return f"is {kind_of(value)}; expected {_TYPES[kind]}{nothing}{_hint(kind, value)}"
    return "is not valid; the JSON Schema of the configuration says what is"


def _hint(kind: str, value: object) -> str:
    match kind, value:
        case "bool_type", str() if value.lower() in _TRUTH:
            return f": write `{_TRUTH[value.lower()]}` for `{value}`"
        case "bool_type" | "int_type" | "float_type", str() if re.fullmatch(_BARE, value):
            return ": leave out the quotes"
        case "string_type", bool() | int() | float():
            return ": put it in quotes"
        case "tuple_type", str():
            return ": put it in brackets, `[…]`"
        case "list_type", dict():
            return ": begin each entry with `- `"
        case "model_type" | "dict_type", None:
            return ", or leave it out"
    return ""


def _unknown_key(place: Place, model: type[BaseModel]) -> str:
    *parents, key = map(str, place)
    allowed = _settings_at(parents, model)
    places = _places_of_settings()
    if key == "api_secret":
        return (
            "a secret does not belong in this file; use `api_secret_file` or `api_secret_env` in"
            " `credentials`, and rotate a secret that was saved here"
        )
    if ":" in key:
        hint = "; is a space missing after a colon?"
    elif key in places:
        hint = f"; it belongs in {places[key]}."
    elif close := difflib.get_close_matches(key.lower(), allowed, n=1):
        hint = f"; did you mean `{close[0]}`?"
    else:
        hint = "."
    return f"unknown setting{hint} Expected here: {', '.join(allowed)}"


def _settings_at(parents: list[str], model: type[BaseModel]) -> list[str]:
    for parent in parents:
        annotation = model.model_fields[parent].annotation
        if parent == "credentials":
            model = CredentialsSection
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)


def _places_of_settings() -> dict[str, str]:
    """Return where each setting belongs that is sometimes written one level too high or low."""
    places = dict.fromkeys(Organization.model_fields, "an entry of `organizations`")
    places |= dict.fromkeys(Settings.model_fields, "`defaults` or an entry of `organizations`")
    places |= dict.fromkeys(Document.model_fields, "the top level")
    for section in ("credentials", "filters", "names", "policy", "quotas", "rate_limit", "tls"):
        for name in _settings_at([section], Organization):
            places.setdefault(name, f"`{section}`")
    return places
