"""The section ``credentials``; every source of a credential is read during validation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import core_schema

from exporter.config.credentials import ApiKeyCredentials
from exporter.config.fields import ConfigSection
from exporter.config.secrets import (
    FromEnvironment,
    FromFile,
    Inline,
    Source,
    check_key_id,
)
from exporter.redaction import looks_like_a_secret

STANDARD_CREDENTIALS = {
    "api_key_env": "CONFLUENT_CLOUD_API_KEY",
    "api_secret_env": "CONFLUENT_CLOUD_API_SECRET",
}
"""Used by organizations without ``credentials``; the variables of the Terraform provider."""

_KEY_SETTINGS = ("api_key_file", "api_key_env", "api_key")
_SECRET_SETTINGS = ("api_secret_file", "api_secret_env")
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class ValidationContext:
    """The folder and environment that a configuration refers to."""

    folder: Path
    """Relative paths are resolved from it."""
    environ: Mapping[str, str]


class CredentialsSection(ConfigSection):
    """Sources of the API key and its secret, one for each."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"oneOf": [{"required": [setting]} for setting in settings]}
                for settings in (_KEY_SETTINGS, _SECRET_SETTINGS)
            ]
        }
    )

    api_key_file: str | None = None
    """File with the id of the API key. Relative to the folder of this configuration file."""
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": f"^{_VARIABLE}$"})
    """Environment variable with the id of the API key."""
    api_key: str | None = None
    """Id of the API key, such as ABCDEFGHIJKLMNOP."""
    api_secret_file: str | None = None
    """File with the secret of the API key. Read again at every refresh."""
    api_secret_env: str | None = Field(
        default=None, json_schema_extra={"pattern": f"^{_VARIABLE}$"}
    )
    """Environment variable with the secret of the API key."""

    @field_validator("*")
    @classmethod
    def _check_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        setting = info.field_name or ""
        if value is not None:
            source = _source(setting, value, validation_context(info))
            try:
                text = source.read()
                if setting in _KEY_SETTINGS:
                    check_key_id(text)
            except ValueError as error:
                raise ValueError(f"{_subject(source)}{error}") from None
        return value


def credential_problems(written: Mapping[str, object]) -> tuple[str, ...]:
    """Return the problems of a ``credentials`` mapping without exactly one source for each."""
    problems = []
    for what, settings in (("API key", _KEY_SETTINGS), ("API secret", _SECRET_SETTINGS)):
        given = [f"`{setting}`" for setting in settings if written.get(setting) is not None]
        *others, last = [f"`{setting}`" for setting in settings]
        if len(given) > 1:
            problems.append(f"{' and '.join(given)} are set; expected only one of them")
        elif not given and not (what == "API secret" and "api_secret" in written):
            problems.append(f"no {what}; expected {', '.join(others)} or {last}")
    return tuple(problems)


def validation_context(info: ValidationInfo) -> ValidationContext:
    """Return the context that :func:`~exporter.config.load` passes to pydantic."""
    if not isinstance(info.context, ValidationContext):
        raise TypeError("validate this setting with a ValidationContext")
    return info.context


def _source(setting: str, value: str, context: ValidationContext) -> Source:
    if setting.endswith("_file"):
        if not value.strip():
            raise ValueError("is blank; expected the path of a file")
        return FromFile(context.folder / value)
    if setting.endswith("_env"):
        if not re.fullmatch(_VARIABLE, value):
            raise ValueError(
                "is not a valid variable name; expected letters, digits and underscores"
            )
        return FromEnvironment(value, context.environ)
    return Inline(value)


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


def _bind(
    value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> ApiKeyCredentials:
    if isinstance(value, ApiKeyCredentials):
        return value
    written: dict[str, str] = handler(value).model_dump(exclude_none=True)
    if problems := credential_problems(written):
        raise ValueError(problems[0])
    context = validation_context(info)
    sources = {setting: _source(setting, text, context) for setting, text in written.items()}
    (api_key,) = (sources[setting] for setting in _KEY_SETTINGS if setting in sources)
    (api_secret,) = (sources[setting] for setting in _SECRET_SETTINGS if setting in sources)
    return ApiKeyCredentials(api_key=api_key, api_secret=api_secret)


BoundCredentials = Annotated[
    ApiKeyCredentials,
    GetPydanticSchema(
        lambda _, handler: core_schema.with_info_wrap_validator_function(
            _bind,
            handler(CredentialsSection),
            # The representation hides the secret.
            serialization=core_schema.plain_serializer_function_ser_schema(repr),
        )
    ),
]
"""Validates a :class:`CredentialsSection` and converts it to :class:`ApiKeyCredentials`."""
