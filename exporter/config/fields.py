"""Types of settings, each with its validation and its JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from exporter.config.durations import PATTERN, format_duration, parse_duration
from exporter.config.urls import check_token_url, check_url
from exporter.config.yaml_document import kind_of

NAME = "^[A-Za-z0-9_.-]{1,64}$"
LONGEST_NUMBER = 12
"""Characters. A message does not quote a longer number, which may be a secret."""
_LONGEST_ENTRY = 255  # characters; the API's own limit for an identifier


class ConfigSection(BaseModel):
    """A mapping of settings: immutable, no unknown keys, no type coercion."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


class ContradictionError(ValueError):
    """Two settings contradict each other.

    ``others``: the settings that may cause it besides the one being validated.
    """

    def __init__(self, message: str, *, others: tuple[str, ...]) -> None:
        self.others = others
        super().__init__(message)


def duration_default(text: str) -> float:
    """Return a field with the default duration ``text``, for the model and the JSON Schema."""
    return Field(parse_duration(text), json_schema_extra={"default": text})


def _duration(value: object, *, at_least: float) -> float:
    if not isinstance(value, str) or (value.isascii() and value.isdecimal()):
        raise ValueError(_unit_message(value))
    seconds = parse_duration(value)
    if seconds < at_least:
        raise ValueError(f"is too short; expected at least `{format_duration(at_least)}`")
    return seconds


def _unit_message(value: object) -> str:
    spelling = ""
    match value:
        case bool():
            pass
        case int() if value > 0:
            spelling = f"{value}s"
        case str() if value.strip("0"):
            spelling = f"{value}s"
        case float() if 0.001 <= value < 1e9:  # noqa: PLR2004 # roughly the range of durations
            spelling = format_duration(value)
    if spelling and len(spelling) <= LONGEST_NUMBER:
        return f"has no unit; write `{spelling}` for {value} seconds"
    return f"is {kind_of(value)}; expected a duration such as `30s` or `5m`"


def _at_least_1s(value: object) -> float:
    return _duration(value, at_least=1.0)


def _at_least_100ms(value: object) -> float:
    return _duration(value, at_least=0.1)


def _name(value: str) -> str:
    if not re.fullmatch(NAME.strip("^$"), value):
        raise ValueError("is not a valid name; expected 1 to 64 characters of A-Z a-z 0-9 _ . -")
    return value


def _entry(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; expected a string, or remove the entry")
    if value != value.strip() or not value.isprintable():
        raise ValueError("has leading or trailing white space or control characters; remove them")
    if len(value) > _LONGEST_ENTRY:
        raise ValueError(f"is too long; expected at most {_LONGEST_ENTRY} characters")
    return value


def _distinct(entries: tuple[str, ...]) -> tuple[str, ...]:
    positions: dict[str, int] = {}
    for position, entry in enumerate(entries, start=1):
        first = positions.setdefault(entry, position)
        if first < position:
            raise ValueError(f"has the same entry at positions {first} and {position}; keep one")
    return entries


def _not_empty(entries: tuple[str, ...]) -> tuple[str, ...]:
    if not entries:
        raise ValueError("is an empty list; expected at least one entry")
    return entries


_DURATION = WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["30s", "1h30m"]})

Duration = Annotated[float, PlainValidator(_at_least_1s), _DURATION]
"""Seconds, at least 1."""
ShortDuration = Annotated[float, PlainValidator(_at_least_100ms), _DURATION]
"""Seconds, at least 0.1."""
Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME})]
_URL = Field(json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"})
Url = Annotated[str, AfterValidator(check_url), _URL]
TokenUrl = Annotated[str, AfterValidator(check_token_url), _URL]
_Entry = Annotated[
    str,
    AfterValidator(_entry),
    Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_ENTRY}),
]
Entries = Annotated[
    tuple[_Entry, ...],
    AfterValidator(_distinct),
    Field(strict=False, json_schema_extra={"uniqueItems": True}),  # YAML has lists, not tuples
]
"""Distinct strings."""
NonEmptyEntries = Annotated[
    Entries, AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})
]
"""Distinct strings, at least one."""
