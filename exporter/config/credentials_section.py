"""The section ``credentials``, which is of exactly one of three kinds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic.config import JsonDict
from pydantic_core import core_schema

from exporter.config.credentials import (
    ApiKeyCredentials,
    Credentials,
    PoolCredentials,
    TokenFile,
)
from exporter.config.fields import ConfigSection
from exporter.config.oauth_section import OAuthSection, oauth_problems
from exporter.config.secrets import check_jwt, check_key_id
from exporter.config.source_settings import (
    IDENTITY_POOL,
    VARIABLE,
    check_source,
    conflict_problems,
    missing_problems,
    names_of_given,
    only_source,
    schema_of_exactly_one,
    schema_of_none,
    validation_context,
)
from exporter.config.yaml_document import KeyPath

STANDARD_CREDENTIALS = {
    "api_key_env": "CONFLUENT_CLOUD_API_KEY",
    "api_secret_env": "CONFLUENT_CLOUD_API_SECRET",
}
"""Used by organizations without ``credentials``; the variables of the Terraform provider."""

_KEY_SETTINGS = ("api_key_file", "api_key_env", "api_key")
_SECRET_SETTINGS = ("api_secret_file", "api_secret_env")
_API_KEY_SETTINGS = (*_KEY_SETTINGS, *_SECRET_SETTINGS)
_TOKEN_SETTINGS = ("token_file", "oauth")
_POOL_SETTINGS = ("identity_pool", *_TOKEN_SETTINGS)
_KINDS = (
    (_KEY_SETTINGS, _SECRET_SETTINGS),
    (("identity_pool",), ("token_file",)),
    (("identity_pool",), ("oauth",)),
)
"""By kind: groups of alternative settings. Exactly one of each group must be set."""
_CHECKS = {**dict.fromkeys(_KEY_SETTINGS, check_key_id), "token_file": check_jwt}
"""By setting: the check of the text in its source."""


def _identity_pool(value: str) -> str:
    if not re.fullmatch(IDENTITY_POOL, value):
        raise ValueError("is not the id of an identity pool; expected `pool-…`")
    return value


def _schema_of_kind(groups: Sequence[Sequence[str]]) -> JsonDict:
    allowed = {setting for group in groups for setting in group}
    others = [each for each in (*_API_KEY_SETTINGS, *_POOL_SETTINGS) if each not in allowed]
    return {"allOf": [*map(schema_of_exactly_one, groups), schema_of_none(others)]}


class CredentialsSection(ConfigSection):
    """An API key and its secret, or an identity pool with a token file or an OAuth client."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"oneOf": [_schema_of_kind(kind) for kind in _KINDS]}
    )

    api_key_file: str | None = None
    """File with the id of the API key. Relative to the folder of this configuration file."""
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    """Environment variable with the id of the API key."""
    api_key: str | None = None
    """Id of the API key, such as ABCDEFGHIJKLMNOP."""
    api_secret_file: str | None = None
    """File with the secret of the API key. Read again at every refresh."""
    api_secret_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    """Environment variable with the secret of the API key."""
    identity_pool: Annotated[str, AfterValidator(_identity_pool)] | None = Field(
        default=None, json_schema_extra={"pattern": IDENTITY_POOL}
    )
    """Id of the identity pool to act as, such as pool-abc12."""
    token_file: str | None = None
    """File with a JWT from the identity provider of the pool. Read again before every exchange."""
    oauth: OAuthSection | None = None
    """OAuth client that gets JWTs from the identity provider of the pool."""

    @field_validator(*_API_KEY_SETTINGS, "token_file")
    @classmethod
    def _check_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        return check_source(value, info, _CHECKS.get(info.field_name or ""))


def credential_problems(written: Mapping[str, object]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the problems of a ``credentials`` mapping that is not exactly one of the kinds.

    Each has its path in the mapping.
    """
    yield from (((), problem) for problem in _problems_of_the_section(written))
    oauth = written.get("oauth")
    if isinstance(oauth, Mapping):
        yield from ((("oauth",), problem) for problem in oauth_problems(oauth))


def _problems_of_the_section(written: Mapping[str, object]) -> Iterator[str]:
    for alternatives in (_KEY_SETTINGS, _SECRET_SETTINGS, _TOKEN_SETTINGS):
        yield from conflict_problems(alternatives, written)
    api_key = names_of_given(_API_KEY_SETTINGS, written)
    pool = names_of_given(_POOL_SETTINGS, written)
    required: tuple[tuple[str, tuple[str, ...]], ...]
    if api_key and pool:
        yield (
            f"has settings of an API key ({', '.join(api_key)}) and of an identity pool"
            f" ({', '.join(pool)}); expected only one kind of credentials"
        )
        return
    if pool:
        required = (("identity pool", ("identity_pool",)), ("source of tokens", _TOKEN_SETTINGS))
    elif "api_secret" in written:  # reported as a secret that is not allowed
        required = (("API key", _KEY_SETTINGS),)
    elif api_key:
        required = (("API key", _KEY_SETTINGS), ("API secret", _SECRET_SETTINGS))
    else:
        required = (("API key or identity pool", (*_KEY_SETTINGS, "identity_pool")),)
    for what, settings in required:
        yield from missing_problems(what, settings, written)


def _bind(
    value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> Credentials:
    if isinstance(value, ApiKeyCredentials | PoolCredentials):
        return value
    section: CredentialsSection = handler(value)
    for _, problem in credential_problems(section.model_dump()):
        raise ValueError(problem)
    context = validation_context(info)
    if section.identity_pool is None:
        return ApiKeyCredentials(
            api_key=only_source(section, _KEY_SETTINGS, context),
            api_secret=only_source(section, _SECRET_SETTINGS, context),
        )
    if section.oauth is not None:
        return PoolCredentials(section.identity_pool, section.oauth.client(context))
    return PoolCredentials(
        section.identity_pool, TokenFile(only_source(section, ("token_file",), context))
    )


BoundCredentials = Annotated[
    Credentials,
    GetPydanticSchema(
        lambda _, handler: core_schema.with_info_wrap_validator_function(
            _bind,
            handler(CredentialsSection),
            # The representation hides the secret.
            serialization=core_schema.plain_serializer_function_ser_schema(repr),
        )
    ),
]
"""Validates a :class:`CredentialsSection` and converts it to :data:`Credentials`."""
