"""The section ``credentials.oauth``: how an OAuth client gets tokens for an identity pool."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from exporter.config.credentials import OAuthClient
from exporter.config.fields import ConfigSection, TokenUrl
from exporter.config.secrets import clean
from exporter.config.source_settings import (
    VARIABLE,
    ValidationContext,
    check_source,
    conflict_problems,
    missing_problems,
    only_source,
    schema_of_exactly_one,
)

_SECRET_SETTINGS = ("client_secret_file", "client_secret_env")
_SCOPE = r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$"
"""A scope as in RFC 6749 §3.3."""


def _scope(value: str) -> str:
    if not re.fullmatch(_SCOPE, value):
        raise ValueError(
            "is not a valid scope; expected names with single spaces between them, or remove it"
        )
    return value


class OAuthSection(ConfigSection):
    """A client of an identity provider that gets tokens by the client credentials grant."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra=schema_of_exactly_one(_SECRET_SETTINGS)
    )

    token_url: TokenUrl
    """URL of the token endpoint. Plain http is allowed only for this machine."""
    client_id: Annotated[str, AfterValidator(clean), Field(json_schema_extra={"pattern": r"^\S+$"})]
    """Id of the client at the identity provider."""
    client_secret_file: str | None = None
    """File with the secret of the client. Read again for every token."""
    client_secret_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    """Environment variable with the secret of the client."""
    scope: Annotated[str, AfterValidator(_scope)] | None = Field(
        default=None, json_schema_extra={"pattern": _SCOPE}
    )
    """Scopes to request, separated by spaces. Default: those of the identity provider."""

    @field_validator(*_SECRET_SETTINGS)
    @classmethod
    def _check_secret(cls, value: str | None, info: ValidationInfo) -> str | None:
        return check_source(value, info)

    @model_validator(mode="after")
    def _check_number_of_secrets(self) -> Self:
        for problem in oauth_problems(self.model_dump()):
            raise ValueError(problem)
        return self

    def client(self, context: ValidationContext) -> OAuthClient:
        """Return the client with the source of its secret."""
        secret = only_source(self, _SECRET_SETTINGS, context)
        return OAuthClient(self.token_url, self.client_id, secret, self.scope)


def oauth_problems(written: Mapping[str, object]) -> Iterator[str]:
    """Yield the problems of an ``oauth`` mapping without exactly one source of its secret."""
    yield from conflict_problems(_SECRET_SETTINGS, written)
    if "client_secret" not in written:  # reported as a secret that is not allowed
        yield from missing_problems("client secret", _SECRET_SETTINGS, written)
