"""The section ``credentials``: which places may be named, each of them tried at once."""

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

from exporter.config.fields import Section
from exporter.config.secrets import (
    Credentials,
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
"""The variables that Terraform's provider reads; for an organization without ``credentials``."""

_KEY_SETTINGS = ("api_key_file", "api_key_env", "api_key")
_SECRET_SETTINGS = ("api_secret_file", "api_secret_env")
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class Surroundings:
    """What a configuration refers to."""

    folder: Path
    """Where relative paths start."""
    environ: Mapping[str, str]


class CredentialsSection(Section):
    """Where the API key and its secret are: one place for each."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"oneOf": [{"required": [setting]} for setting in settings]}
                for settings in (_KEY_SETTINGS, _SECRET_SETTINGS)
            ]
        }
    )

    api_key_file: str | None = None
    """File that holds the API key's id. A relative path starts at the configuration's folder."""
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": f"^{_VARIABLE}$"})
    """Environment variable that holds the API key's id."""
    api_key: str | None = None
    """The API key's id itself."""
    api_secret_file: str | None = None
    """File that holds the API key's secret; read again at every refresh."""
    api_secret_env: str | None = Field(
        default=None, json_schema_extra={"pattern": f"^{_VARIABLE}$"}
    )
    """Environment variable that holds the API key's secret."""

    @field_validator("*")
    @classmethod
    def _can_be_read(cls, value: str | None, info: ValidationInfo) -> str | None:
        setting = info.field_name or ""
        if value is not None:
            source = _source(setting, value, surroundings(info))
            try:
                text = source.read()
                if setting in _KEY_SETTINGS:
                    check_key_id(text)
            except ValueError as error:
                raise ValueError(f"{_subject(source)}{error}") from None
        return value


def credential_mistakes(written: Mapping[str, object]) -> tuple[str, ...]:
    """Return what is wrong with the choice of places: one is needed for the key and the secret."""
    mistakes = []
    for what, settings in (("API key", _KEY_SETTINGS), ("API secret", _SECRET_SETTINGS)):
        given = [f"`{setting}`" for setting in settings if written.get(setting) is not None]
        *others, last = [f"`{setting}`" for setting in settings]
        if len(given) > 1:
            mistakes.append(f"{' and '.join(given)} are given; expected one of them")
        elif not given and not (what == "API secret" and "api_secret" in written):
            mistakes.append(f"no {what}; expected {', '.join(others)} or {last}")
    return tuple(mistakes)


def surroundings(info: ValidationInfo) -> Surroundings:
    """Return what a relative path or the name of a variable in the configuration refers to."""
    if not isinstance(info.context, Surroundings):
        raise TypeError("this setting is validated in its surroundings")
    return info.context


def _source(setting: str, value: str, around: Surroundings) -> Source:
    if setting.endswith("_file"):
        if not value.strip():
            raise ValueError("is blank; expected the path of a file")
        return FromFile(around.folder / value)
    if setting.endswith("_env"):
        if not re.fullmatch(_VARIABLE, value):
            raise ValueError(
                "is no name of an environment variable; expected letters, digits and underscores"
            )
        return FromEnvironment(value, around.environ)
    return Inline(value)


def _subject(source: Source) -> str:
    """Return the beginning of a sentence about ``source``.

    A secret that was written where a path or a variable belongs must not be shown. A path might be
    one, and so might anything that is not spelled as variables are.
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
) -> Credentials:
    if isinstance(value, Credentials):
        return value
    written: dict[str, str] = handler(value).model_dump(exclude_none=True)
    if mistakes := credential_mistakes(written):
        raise ValueError(mistakes[0])
    around = surroundings(info)
    sources = {setting: _source(setting, text, around) for setting, text in written.items()}
    (api_key,) = (sources[setting] for setting in _KEY_SETTINGS if setting in sources)
    (api_secret,) = (sources[setting] for setting in _SECRET_SETTINGS if setting in sources)
    return Credentials(api_key=api_key, api_secret=api_secret)


BoundCredentials = Annotated[
    Credentials,
    GetPydanticSchema(
        lambda _, handler: core_schema.with_info_wrap_validator_function(
            _bind,
            handler(CredentialsSection),
            # Their representation knows what must not be shown.
            serialization=core_schema.plain_serializer_function_ser_schema(repr),
        )
    ),
]
"""Written as a :class:`CredentialsSection`, valid as :class:`Credentials`."""
