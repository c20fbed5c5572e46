"""The three kinds of credentials: how they are read, compared and kept out of sight."""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from exporter.config import (
    ApiKeyCredentials,
    Config,
    OAuthClient,
    Organization,
    PoolCredentials,
    Secret,
    TokenFile,
    json_schema,
    parse,
)
from exporter.config.secrets import FromEnvironment, FromFile, Inline
from exporter.errors import ConfigurationError, CredentialsError, TokenUnreadable
from exporter.redaction import looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJVTlBSSU5UQUJMRSJ9.UNPRINTABLE-1_"
OTHER_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJVTlBSSU5UQUJMRSJ9.UNPRINTABLE-2_"
EXPIRED_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.UNPRINTABLE"  # exp: 1
TOKEN_URL = "https://login.example.com/oauth2/token"
OAUTH: Mapping[str, object] = {
    "token_url": TOKEN_URL,
    "client_id": "exporter",
    "client_secret_file": "client-secret",
}
WITH_TOKEN_FILE: Mapping[str, object] = {"identity_pool": "pool-abc12", "token_file": "token"}
WITH_OAUTH: Mapping[str, object] = {"identity_pool": "pool-abc12", "oauth": OAUTH}
ENVIRON = {"KEY": "KEYID", "SECRET": "UNPRINTABLE"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """Return the folder of the configuration, with a token and a secret of a client."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "client-secret").write_text("UNPRINTABLE\n")
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return tmp_path


def _written(credentials: Mapping[str, object]) -> dict[str, object]:
    return {"organizations": [{"name": "acme", "credentials": dict(credentials)}]}


def _parse(credentials: Mapping[str, object], folder: Path) -> Config:
    text = yaml.safe_dump(_written(credentials))
    return parse(text, file="config.yaml", folder=folder, environ=ENVIRON)


def _organization(credentials: Mapping[str, object], folder: Path) -> Organization:
    (organization,) = _parse(credentials, folder).organizations
    return organization


def _pool(credentials: Mapping[str, object], folder: Path) -> PoolCredentials:
    found = _organization(credentials, folder).credentials
    assert isinstance(found, PoolCredentials)
    return found


def _token_file(folder: Path) -> TokenFile:
    found = _pool(WITH_TOKEN_FILE, folder).subject_token
    assert isinstance(found, TokenFile)
    return found


def _client(folder: Path, **settings: object) -> OAuthClient:
    oauth = {name: value for name, value in {**OAUTH, **settings}.items() if value is not None}
    found = _pool({**WITH_OAUTH, "oauth": oauth}, folder).subject_token
    assert isinstance(found, OAuthClient)
    return found


def test_an_api_key_is_one_kind(folder: Path) -> None:
    found = _organization({"api_key": "KEYID", "api_secret_env": "SECRET"}, folder).credentials
    assert found == ApiKeyCredentials(Inline("KEYID"), FromEnvironment("SECRET", ENVIRON))


def test_a_pool_with_a_token_file_is_another(folder: Path) -> None:
    assert _pool(WITH_TOKEN_FILE, folder) == PoolCredentials(
        "pool-abc12", TokenFile(FromFile(folder / "token"))
    )


def test_a_pool_with_an_oauth_client_is_the_third(folder: Path) -> None:
    secret = FromFile(folder / "client-secret")
    assert _pool(WITH_OAUTH, folder) == PoolCredentials(
        "pool-abc12", OAuthClient(TOKEN_URL, "exporter", secret, None)
    )
    scope = "api://0a1b/.default offline_access"
    assert _client(folder, scope=scope) == OAuthClient(TOKEN_URL, "exporter", secret, scope)


def _subsets(values: Mapping[str, object]) -> Iterator[dict[str, object]]:
    sizes = range(len(values) + 1)
    for names in chain.from_iterable(combinations(values, size) for size in sizes):
        yield {name: values[name] for name in names}


def _is_accepted(credentials: Mapping[str, object], folder: Path) -> bool:
    try:
        _parse(credentials, folder)
    except ConfigurationError:
        return False
    return True


def test_no_other_mix_of_settings_is_valid_at_start_or_in_an_editor(folder: Path) -> None:
    values = {
        "api_key_file": "client-secret",
        "api_key_env": "KEY",
        "api_key": "KEYID",
        "api_secret_file": "client-secret",
        "api_secret_env": "SECRET",
        **WITH_TOKEN_FILE,
        "oauth": OAUTH,
    }
    expected = [
        {"api_key_file", "api_secret_file"},
        {"api_key_file", "api_secret_env"},
        {"api_key_env", "api_secret_file"},
        {"api_key_env", "api_secret_env"},
        {"api_key", "api_secret_file"},
        {"api_key", "api_secret_env"},
        {"identity_pool", "token_file"},
        {"identity_pool", "oauth"},
    ]
    subsets = list(_subsets(values))
    assert len(subsets) == 256
    assert [set(each) for each in subsets if _is_accepted(each, folder)] == expected
    assert [set(each) for each in subsets if VALIDATOR.is_valid(_written(each))] == expected
    # null is the same as not set.
    nulls = [{**dict.fromkeys(values), **each} for each in subsets]
    assert [each for each in nulls if not _is_accepted(each, folder)] == [
        each for each in nulls if not VALIDATOR.is_valid(_written(each))
    ]


def test_no_other_mix_of_settings_of_a_client_is_valid_at_start_or_in_an_editor(
    folder: Path,
) -> None:
    values = {**OAUTH, "client_secret_env": "SECRET", "scope": "confluent"}
    expected = [
        {"token_url", "client_id", "client_secret_file"},
        {"token_url", "client_id", "client_secret_env"},
        {"token_url", "client_id", "client_secret_file", "scope"},
        {"token_url", "client_id", "client_secret_env", "scope"},
    ]
    mixes = [{"identity_pool": "pool-abc12", "oauth": each} for each in _subsets(values)]
    accepted = [mix["oauth"] for mix in mixes if _is_accepted(mix, folder)]
    assert [set(each) for each in accepted if isinstance(each, dict)] == expected
    assert [mix["oauth"] for mix in mixes if VALIDATOR.is_valid(_written(mix))] == accepted


def test_the_standard_variables_are_not_needed_with_a_pool(folder: Path) -> None:
    standard = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}
    text = yaml.safe_dump(_written(WITH_TOKEN_FILE))
    without, beside = (
        parse(text, file="f", folder=folder, environ=environ) for environ in ({}, standard)
    )
    assert without == beside
    assert isinstance(beside.organizations[0].credentials, PoolCredentials)


def test_the_path_of_a_token_may_be_absolute(folder: Path) -> None:
    absolute = {**WITH_TOKEN_FILE, "token_file": str(folder / "token")}
    assert _pool(absolute, folder / "elsewhere") == _pool(WITH_TOKEN_FILE, folder)


def test_a_replaced_token_is_read_without_a_restart(folder: Path) -> None:
    source = _token_file(folder)
    assert source.read() == Secret(TOKEN)
    (folder / "token").write_text(OTHER_TOKEN)
    assert source.read() == Secret(OTHER_TOKEN)


def test_a_token_is_read_through_the_links_of_a_mounted_volume(folder: Path) -> None:
    for name, token in (("first", TOKEN), ("second", OTHER_TOKEN)):
        (folder / name).mkdir()
        (folder / name / "token").write_text(token)
    (folder / "..data").symlink_to("first")
    (folder / "token").unlink()
    (folder / "token").symlink_to("..data/token")
    source = _token_file(folder)
    assert source.read() == Secret(TOKEN)
    (folder / "next").symlink_to("second")
    (folder / "next").replace(folder / "..data")
    assert source.read() == Secret(OTHER_TOKEN)


def test_an_expired_token_is_valid_at_start(folder: Path) -> None:
    (folder / "token").write_text(EXPIRED_TOKEN)
    assert _token_file(folder).read() == Secret(EXPIRED_TOKEN)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "does not exist; relative paths start at the folder of the configuration"),
        ("", "is empty; expected the value"),
        (f"Bearer {TOKEN}", "contains white space or control characters; expected only the value"),
        (
            TOKEN.rpartition(".")[0],
            "is not a JWT; expected three parts of base64url with dots between them",
        ),
    ],
)
def test_a_token_that_becomes_unreadable_is_reported_without_its_content(
    folder: Path, text: str | None, problem: str
) -> None:
    source, path = _token_file(folder), folder / "token"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(TokenUnreadable) as caught:
        source.read()
    assert str(caught.value) == f"the token: file {path} {problem}"
    assert caught.value.reason == "token_unreadable"
    shown = repr(caught.value) + repr(caught.value.__context__)
    assert "UNPRINTABLE" not in shown
    assert "eyJ" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        "a.b.c.d",
        "a..c",
        ".b.c",
        "a.b.",
        "a.b.c=",
        "a.b.c+",
        "a.b/.c",
        "a.b.\N{LATIN SMALL LETTER E WITH ACUTE}",
        '{"value":"a.b.c"}',
    ],
)
def test_a_file_without_a_jwt_is_rejected(folder: Path, text: str) -> None:
    (folder / "token").write_text(text)
    with pytest.raises(ConfigurationError, match=r"credentials\.token_file: the file is not a JWT"):
        _parse(WITH_TOKEN_FILE, folder)


@pytest.mark.parametrize(
    ("credentials", "name", "path"),
    [
        (WITH_TOKEN_FILE, "token", "token_file"),
        (WITH_OAUTH, "client-secret", "oauth.client_secret_file"),
    ],
)
def test_an_unreadable_file_is_reported_at_start(
    folder: Path,
    credentials: Mapping[str, object],
    name: str,
    path: str,
    request: pytest.FixtureRequest,
) -> None:
    (folder / name).chmod(0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(ConfigurationError) as caught:
        _parse(credentials, folder)
    (problem,) = caught.value.problems
    assert problem.path == f"organizations[0].credentials.{path}"
    assert problem.message == (
        "the file is not readable; make it readable for the user that runs the exporter"
    )


def test_a_rotated_secret_of_a_client_is_read_without_a_restart(folder: Path) -> None:
    client = _client(folder)
    assert client.read() == Secret("UNPRINTABLE")
    (folder / "client-secret").write_text("rotated")
    assert client.read() == Secret("rotated")


def test_the_secret_of_a_client_may_be_in_a_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _client(folder, client_secret_file=None, client_secret_env="SECRET")
    assert client.read() == Secret("UNPRINTABLE")
    monkeypatch.setitem(ENVIRON, "SECRET", "rotated")
    assert client.read() == Secret("rotated")
    monkeypatch.delitem(ENVIRON, "SECRET")
    with pytest.raises(CredentialsError) as caught:
        client.read()
    assert str(caught.value) == (
        "the client secret: environment variable SECRET is not set; set it, or use another variable"
    )
    assert caught.value.reason == "credentials"


@pytest.mark.parametrize(
    ("credentials", "name"), [(WITH_TOKEN_FILE, "token"), (WITH_OAUTH, "client-secret")]
)
def test_a_token_or_secret_that_every_user_may_read_is_exposed(
    folder: Path, credentials: Mapping[str, object], name: str
) -> None:
    found = _pool(credentials, folder)
    assert found.exposed_file() is None
    (folder / name).chmod(0o644)
    assert found.exposed_file() == folder / name


def test_a_secret_in_a_variable_is_not_exposed(folder: Path) -> None:
    oauth = {"token_url": TOKEN_URL, "client_id": "exporter", "client_secret_env": "SECRET"}
    assert _pool({**WITH_OAUTH, "oauth": oauth}, folder).exposed_file() is None


@pytest.mark.parametrize("credentials", [WITH_TOKEN_FILE, WITH_OAUTH])
def test_a_reload_of_the_same_settings_makes_an_equal_organization(
    folder: Path, credentials: Mapping[str, object]
) -> None:
    before = _organization(credentials, folder)
    (folder / "token").write_text(OTHER_TOKEN)
    (folder / "client-secret").write_text("rotated")
    after = _organization(credentials, folder)
    assert before == after
    assert hash(before) == hash(after)
    assert before.credentials == after.credentials


def test_other_settings_make_another_organization(folder: Path) -> None:
    (folder / "other").write_text(TOKEN)
    client = {**OAUTH, "client_secret_file": "other"}
    different = [
        _organization(credentials, folder).credentials
        for credentials in (
            WITH_TOKEN_FILE,
            {**WITH_TOKEN_FILE, "identity_pool": "pool-def34"},
            {**WITH_TOKEN_FILE, "token_file": "other"},
            WITH_OAUTH,
            {**WITH_OAUTH, "oauth": client},
            {**WITH_OAUTH, "oauth": {**OAUTH, "token_url": f"{TOKEN_URL}/v2"}},
            {**WITH_OAUTH, "oauth": {**OAUTH, "client_id": "other"}},
            {**WITH_OAUTH, "oauth": {**OAUTH, "scope": "confluent"}},
        )
    ]
    assert len(set(different)) == 8


@pytest.mark.parametrize("credentials", [WITH_TOKEN_FILE, WITH_OAUTH])
def test_a_dumped_organization_contains_no_token_or_secret(
    folder: Path, credentials: Mapping[str, object]
) -> None:
    found = _organization(credentials, folder)
    shown = f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"
    assert "pool-abc12" in shown
    assert "UNPRINTABLE" not in shown
    assert "eyJ" not in shown


@pytest.mark.parametrize("pool", ["pool-a", "pool-Ab12", "pool-ab_c-1"])
def test_the_id_of_a_pool_begins_with_its_kind(folder: Path, pool: str) -> None:
    written = {**WITH_TOKEN_FILE, "identity_pool": pool}
    assert _pool(written, folder).identity_pool == pool
    assert VALIDATOR.is_valid(_written(written))


@pytest.mark.parametrize(
    "pool", ["", "pool-", "Pool-ab12", "pool-ab12\n", " pool-ab12", "sa-ab12", "pool-" + "a" * 60]
)
def test_another_id_is_not_that_of_a_pool(folder: Path, pool: str) -> None:
    written = {**WITH_TOKEN_FILE, "identity_pool": pool}
    with pytest.raises(ConfigurationError, match="is not the id of an identity pool; expected"):
        _parse(written, folder)


def test_a_client_id_may_be_a_url(folder: Path) -> None:
    assert _client(folder, client_id="api://0a1b:2c").client_id == "api://0a1b:2c"


def test_a_file_may_be_named_like_a_pool_or_a_token(folder: Path) -> None:
    for name in ("pool-abc12", "eyJ.eyJ.x"):
        (folder / name).write_text(TOKEN)
        found = _pool({**WITH_TOKEN_FILE, "token_file": name}, folder)
        assert found.subject_token == TokenFile(FromFile(folder / name))


def test_a_file_that_is_named_like_a_pool_is_reported_as_a_file(folder: Path) -> None:
    (folder / "pool-abc12").write_text("")
    with pytest.raises(ConfigurationError, match="token_file: the file is empty"):
        _parse({**WITH_TOKEN_FILE, "token_file": "pool-abc12"}, folder)


def test_a_token_that_is_too_long_for_a_file_name_is_not_reported_as_a_file(folder: Path) -> None:
    token = f"{TOKEN.rpartition('.')[0]}.{'x' * 1000}"
    with pytest.raises(ConfigurationError, match="token_file: is a token; expected the path"):
        _parse({**WITH_TOKEN_FILE, "token_file": token}, folder)


def test_a_token_looks_like_a_secret() -> None:
    assert looks_like_a_secret(TOKEN)
    assert looks_like_a_secret(EXPIRED_TOKEN)
