"""Settings that name a file or a variable. Sources of credentials are read during validation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config.files import version_of
from exporter.config.secrets import FromEnvironment, FromFile, Inline
from exporter.config.yaml_document import kind_of
from exporter.redaction import is_jwt, looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import ValidationInfo
    from pydantic.config import JsonDict

    from exporter.config.secrets import Source
    from exporter.config.teams import Team

VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
IDENTITY_POOL = "^pool-[A-Za-z0-9_-]{1,59}$"


@dataclass(frozen=True)
class ValidationContext:
    """The folder and environment that a configuration refers to."""

    folder: Path
    """Relative paths are resolved from it."""
    environ: Mapping[str, str]
    teams: tuple[Team, ...] = ()
    """The teams of all organizations."""
    reads_sources: bool = True
    """Whether to read files and variables. False for the organizations of other shards."""


def validation_context(info: ValidationInfo) -> ValidationContext:
    """Return the context that :func:`~exporter.config.load` passes to pydantic."""
    if not isinstance(info.context, ValidationContext):
        raise TypeError("validate this setting with a ValidationContext")
    return info.context


def path_setting(value: object, info: ValidationInfo, *, example: str) -> Path:
    """Return ``value`` as an absolute path, which need not exist."""
    if not isinstance(value, str):
        raise ValueError(f"is {kind_of(value)}; expected the path of a file")  # noqa: TRY004 # pydantic reports it
    if not value.strip() or "\0" in value:
        raise ValueError(f"is not a valid path; expected the path of a file, such as `{example}`")
    return validation_context(info).folder / value


def check_source(
    value: str | None, info: ValidationInfo, check: Callable[[str], object] | None = None
) -> str | None:
    """Return ``value`` if the source that it names has a credential that passes ``check``."""
    if value is None:
        return None
    context = validation_context(info)
    source = _source_of(info.field_name or "", value, context)
    if not (context.reads_sources or isinstance(source, Inline)):
        return value
    try:
        text = source.read()
        if check is not None:
            check(text)
    except ValueError as error:
        raise ValueError(_misplaced(value, source) or f"{_subject(source)}{error}") from None
    return value


def only_source(section: object, settings: Sequence[str], context: ValidationContext) -> Source:
    """Return the source that the only one of ``settings`` that is set in ``section`` names."""
    (source,) = (
        _source_of(setting, value, context)
        for setting in settings
        if (value := getattr(section, setting)) is not None
    )
    return source


def conflict_problems(settings: Sequence[str], written: Mapping[str, object]) -> Iterator[str]:
    """Yield a problem if more than one of ``settings`` is set."""
    given = names_of_given(settings, written)
    if len(given) > 1:
        yield f"{' and '.join(given)} are set; expected only one of them"


def missing_problems(
    what: str, settings: Sequence[str], written: Mapping[str, object]
) -> Iterator[str]:
    """Yield a problem if none of ``settings`` is set."""
    if not names_of_given(settings, written):
        *others, last = [f"`{setting}`" for setting in settings]
        yield f"no {what}; expected {', '.join(others)}{' or ' if others else ''}{last}"


def names_of_given(settings: Sequence[str], written: Mapping[str, object]) -> list[str]:
    """Return the quoted names of the ``settings`` that are set. null is the same as not set."""
    return [f"`{setting}`" for setting in settings if written.get(setting) is not None]


def schema_of_exactly_one(settings: Sequence[str]) -> JsonDict:
    """Return the JSON Schema of a mapping with exactly one of ``settings``."""
    return {"oneOf": [_schema_of_given(setting) for setting in settings]}


def schema_of_none(settings: Sequence[str]) -> JsonDict:
    """Return the JSON Schema of a mapping with none of ``settings``."""
    return {"not": {"anyOf": [_schema_of_given(setting) for setting in settings]}}


def _schema_of_given(setting: str) -> JsonDict:
    return {"required": [setting], "properties": {setting: {"not": {"type": "null"}}}}


def _source_of(setting: str, value: str, context: ValidationContext) -> Source:
    if setting.endswith("_file"):
        if not value.strip():
            raise ValueError("is blank; expected the path of a file")
        return FromFile(context.folder / value)
    if setting.endswith("_env"):
        if not re.fullmatch(VARIABLE, value):
            raise ValueError(
                "is not a valid variable name; expected letters, digits and underscores"
            )
        return FromEnvironment(value, context.environ)
    return Inline(value)


def _misplaced(value: str, source: Source) -> str:
    """Return the problem with another kind of value in place of a path; empty if unknown."""
    if isinstance(source, FromFile) and version_of(source.path) is None:
        if is_jwt(value.strip()):
            return (
                "is a token; expected the path of a file that contains it, because secrets are not"
                " allowed in this file"
            )
        if re.fullmatch(IDENTITY_POOL, value.strip()):
            return "is the id of an identity pool; expected the path of a file"
        if value.strip().startswith("~") or "$" in value:
            return "has a `~` or a variable, which are not expanded; expected the path of a file"
    return ""


def _subject(source: Source) -> str:
    """Return the subject of a message about ``source``.

    Hides paths and unusual variable names, which may be misplaced secrets.
    """
    match source:
        case FromEnvironment(variable=variable) if re.fullmatch("[A-Z0-9_]{1,50}", variable):
            if not any(map(looks_like_a_secret, variable.split("_"))):
                return f"the environment variable `{variable}` "
            return "the environment variable "
        case FromEnvironment():
            return "the environment variable "
        case FromFile():
            return "the file "
    return ""
