from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.config import (
    ApiKeyCredentials,
    Config,
    Filters,
    Organization,
    Policy,
    Secret,
    load,
    parse,
)
from exporter.config.policy_section import RULES
from exporter.config.yaml_document import parse_yaml
from exporter.errors import ConfigurationError
from tests.certificates import authority
from tests.programs import ROOT

ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "KEYID", "CONFLUENT_CLOUD_API_SECRET": "hush"}


def _read(text: str, *, folder: Path = Path("/nowhere")) -> Config:
    return parse(text, file="config.yaml", folder=folder, environ=ENVIRON)


def _one(text: str) -> Organization:
    (organization,) = _read(text).organizations
    return organization


def _api_key(organization: Organization) -> tuple[str, Secret]:
    assert isinstance(organization.credentials, ApiKeyCredentials)
    return organization.credentials.read()


def test_an_organization_needs_only_a_name() -> None:
    found = _one("organizations: [{name: acme}]")
    assert found.name == "acme"
    assert found.url == "https://api.confluent.cloud"
    assert (found.refresh_interval, found.refresh_timeout, found.stale_after) == (300, 300, 900)
    assert found.request_timeout == 10
    assert (found.page_size, found.max_response_bytes) == (100, 16_777_216)
    assert (found.tls.ca_file, found.tls.strict) == (None, True)
    assert found.rate_limit.reserve == 0.5
    assert (found.names.enabled, found.names.refresh_interval) == (True, 3_600)
    assert found.names.users is False
    assert (found.quotas.enabled, found.quotas.refresh_interval) == (True, 900)
    assert found.quotas.include == ("*api_keys*",)
    assert (found.policy.max_age, found.policy.expires_within) == (7_776_000, 1_209_600)
    assert found.policy.max_keys_per_owner_and_resource == 2
    assert found.policy.expired is True
    assert found.policy.user_owned is True
    assert found.policy.undescribed is True
    assert found.policy.unknown_owner is True
    assert found.per_key_metrics is False
    assert found.per_key_display_names is False
    assert found.max_pairs == 20_000
    assert found.filters == Filters(owners=(), resources=())
    assert _api_key(found) == ("KEYID", Secret("hush"))


def test_every_setting_can_be_set() -> None:
    found = _one("""
        organizations:
          - name: A.b_c-1
            url: https://gateway.example.org:8443/confluent/
            refresh_interval: 1m
            refresh_timeout: 50s
            request_timeout: 1s500ms
            stale_after: 1h
            page_size: 7
            max_response_bytes: 4096
            rate_limit: {reserve: 0}
            names: {enabled: false, refresh_interval: 2h, users: false}
            quotas: {enabled: false, refresh_interval: 3h, include: [a, "b*"]}
            policy:
              max_age: null
              expires_within: ~
              expired: null
              max_keys_per_owner_and_resource: null
              user_owned: false
              undescribed: False
              unknown_owner: null
              exempt: {owners: ["u-*"], resources: [lkc-1], api_keys: [A, B]}
            per_key_metrics: true
            per_key_display_names: true
            max_pairs: 1
            credentials: {api_key: OWN, api_secret_env: CONFLUENT_CLOUD_API_SECRET}
            filters: {owners: [sa-1, u-2], resources: [cloud]}
    """)
    assert found.name == "A.b_c-1"
    assert found.url == "https://gateway.example.org:8443/confluent"
    assert (found.refresh_interval, found.refresh_timeout, found.stale_after) == (60, 50, 3_600)
    assert found.request_timeout == 1.5
    assert (found.page_size, found.max_response_bytes) == (7, 4_096)
    assert found.rate_limit.reserve == 0
    assert (found.names.enabled, found.names.refresh_interval) == (False, 7_200)
    assert (found.quotas.enabled, found.quotas.refresh_interval) == (False, 10_800)
    assert found.quotas.include == ("a", "b*")
    assert set(found.policy.model_dump(exclude={"exempt", "overrides"}).values()) == {None, False}
    assert found.policy.exempt.owners == ("u-*",)
    assert found.policy.exempt.resources == ("lkc-1",)
    assert found.policy.exempt.api_keys == ("A", "B")
    assert found.per_key_metrics is True
    assert found.per_key_display_names is True
    assert found.max_pairs == 1
    assert found.filters == Filters(owners=("sa-1", "u-2"), resources=("cloud",))
    assert _api_key(found) == ("OWN", Secret("hush"))


def test_names_of_users_can_be_enabled() -> None:
    assert _one("organizations: [{name: acme, names: {users: true}}]").names.users is True


def test_defaults_that_depend_on_the_interval_use_the_effective_one() -> None:
    acme, beta = _read("""
        defaults: {refresh_interval: 10m}
        organizations:
          - {name: acme}
          - {name: beta, refresh_interval: 5s}
    """).organizations
    assert (acme.refresh_timeout, acme.stale_after) == (600, 1_800)
    assert (beta.refresh_timeout, beta.stale_after) == (5, 15)


def test_the_default_of_stale_after_covers_two_listings_of_any_length() -> None:
    short, equal, long = _read("""
        defaults: {refresh_interval: 10s}
        organizations:
          - {name: short, refresh_timeout: 5s}
          - {name: equal, refresh_timeout: 15s}
          - {name: long, refresh_timeout: 20s}
    """).organizations
    assert (short.stale_after, equal.stale_after, long.stale_after) == (30, 30, 40)


def test_a_short_refresh_does_not_contradict_the_default_request_timeout() -> None:
    found = _one("organizations: [{name: acme, refresh_timeout: 1s}]")
    assert (found.refresh_timeout, found.request_timeout) == (1, 10)


def test_an_organization_overrides_defaults_key_by_key() -> None:
    acme, beta = _read("""
        defaults:
          page_size: 50
          policy: {max_age: 60d, expired: null}
          quotas: {include: [a, b]}
        organizations:
          - name: acme
            policy: {max_age: 30d}
            quotas: {include: [c]}
          - name: beta
            page_size: 60
            policy: {max_age: null}
    """).organizations
    assert (acme.page_size, beta.page_size) == (50, 60)
    assert (acme.policy.max_age, acme.policy.expired) == (30 * 86_400, None)
    assert (beta.policy.max_age, beta.policy.expired) == (None, None)
    assert acme.policy.max_keys_per_owner_and_resource == 2
    assert acme.quotas.include == ("c",)
    assert beta.quotas.include == ("a", "b")


def test_contradictory_defaults_are_valid_if_every_organization_overrides_them() -> None:
    found = _one("""
        defaults: {stale_after: 1m}
        organizations: [{name: acme, refresh_interval: 30s}]
    """)
    assert found.stale_after == 60


def test_equal_settings_make_equal_organizations_however_they_are_written() -> None:
    short = "organizations: [{name: acme}]"
    long = """
        defaults: {page_size: 1}
        organizations:
          - name: acme
            page_size: 100
            refresh_interval: 300s
            policy: {max_age: 90d}
            credentials:
              api_key_env: CONFLUENT_CLOUD_API_KEY
              api_secret_env: CONFLUENT_CLOUD_API_SECRET
    """
    assert _read(short) == _read(long)
    assert hash(_one(short)) == hash(_one(long))
    assert _one(short) != _one("organizations: [{name: acme, page_size: 99}]")
    assert _one(short) != _one("organizations: [{name: acme, policy: {max_age: 91d}}]")


def test_organizations_with_different_credential_sources_differ(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    text = "organizations: [{name: acme, credentials: {api_key: K, api_secret_file: %s}}]"
    a, b = (_read(text % name, folder=tmp_path) for name in "ab")
    assert a != b


def test_the_environment_of_the_process_is_not_a_setting() -> None:
    text = "organizations: [{name: acme}]"
    other = {**ENVIRON, "CONFLUENT_CLOUD_API_SECRET": "rotated"}
    assert _read(text) == parse(text, file="f", folder=Path("/nowhere"), environ=other)


def test_a_configuration_is_frozen() -> None:
    found = _one("organizations: [{name: acme}]")
    with pytest.raises(ValidationError, match="Instance is frozen"):
        found.page_size = 1
    with pytest.raises(ValidationError, match="Instance is frozen"):
        found.policy.expired = False


def test_strings_follow_yaml_1_2() -> None:
    found = _one("""
        organizations:
          - name: on
            filters: {owners: [no, 1:30, 2026-01-31, "7"]}
    """)
    assert found.name == "on"
    assert found.filters.owners == ("no", "1:30", "2026-01-31", "7")


def test_sections_can_be_shared_by_aliases() -> None:
    acme, beta = _read("""
        organizations:
          - {name: acme, policy: &strict {max_age: 30d}}
          - {name: beta, policy: *strict}
    """).organizations
    assert acme.policy == beta.policy
    assert beta.policy.max_age == 30 * 86_400


def test_a_problem_in_an_alias_is_reported_at_its_anchor() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read("""organizations:
          - {name: acme, policy: &strict {max_age: soon}}
          - {name: beta, policy: *strict}""")
    assert [(p.line, p.path) for p in caught.value.problems] == [
        (2, "organizations[0].policy.max_age"),
        (2, "organizations[1].policy.max_age"),
    ]


def test_without_credentials_the_standard_variables_are_used() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(
            "defaults: {}\norganizations:\n  - name: acme",
            file="f.yaml",
            folder=Path("/nowhere"),
            environ={"CONFLUENT_CLOUD_API_KEY": "KEYID:HIDDEN"},
        )
    key, secret = caught.value.problems
    assert str(key) == (
        "f.yaml:3: organizations[0].credentials: the environment variable `CONFLUENT_CLOUD_API_KEY`"
        " contains a colon; expected only the id of the API key, without the secret. It is"
        " used because `credentials` is not set"
    )
    assert str(secret) == (
        "f.yaml:3: organizations[0].credentials: the environment variable"
        " `CONFLUENT_CLOUD_API_SECRET` is not set; set it, or use another variable. It is"
        " used because `credentials` is not set"
    )


def test_relative_paths_of_secrets_start_at_the_folder_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "secret").write_text("first\n")
    (tmp_path / "etc" / "config.yaml").write_text(
        "organizations: [{name: acme, credentials: {api_key: K, api_secret_file: secret}}]"
    )
    monkeypatch.chdir(tmp_path)
    (found,) = load(Path("etc/config.yaml"), environ={}).organizations
    monkeypatch.chdir("/")  # a daemon may do that
    assert _api_key(found) == ("K", Secret("first"))
    (tmp_path / "etc" / "secret").write_text("second\n")
    assert _api_key(found) == ("K", Secret("second"))


@pytest.mark.integration
def test_a_relative_path_of_a_ca_file_starts_at_the_folder_of_the_configuration(
    tmp_path: Path,
) -> None:
    ca = authority(tmp_path, "private")
    acme, beta = _read(
        """
        defaults: {tls: {ca_file: private.pem}}
        organizations:
          - {name: acme}
          - {name: beta, tls: {strict: false}}
        """,
        folder=tmp_path,
    ).organizations
    assert (acme.tls.ca_file, acme.tls.strict) == (ca.certificate, True)
    assert (beta.tls.ca_file, beta.tls.strict) == (ca.certificate, False)


def test_a_dumped_organization_contains_no_secret() -> None:
    found = _one("organizations: [{name: acme}]")
    shown = f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"
    assert "CONFLUENT_CLOUD_API_SECRET" in shown
    assert "hush" not in shown


def _refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path, environ=ENVIRON)
    return str(caught.value)


def test_a_missing_file_names_the_flag(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert _refusal(path) == f"{path}: no such file; set `--config.file` to an existing file"


def test_a_directory_is_rejected_as_configuration(tmp_path: Path) -> None:
    assert (
        _refusal(tmp_path)
        == f"{tmp_path}: cannot be read (Is a directory); expected a regular file"
    )


def test_a_file_above_1_mib_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("organizations: [{name: acme}]\n".ljust(1024 * 1024))
    assert load(path, environ=ENVIRON).organizations[0].name == "acme"
    path.write_text("organizations: [{name: acme}]\n".ljust(1024 * 1024 + 1))
    assert _refusal(path) == f"{path}: is larger than 1 MiB; expected a configuration file"


def test_another_encoding_is_rejected_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("organizations:\n  - name: acme\n    # Müller\n".encode("latin-1"))
    assert _refusal(path) == f"{path}:3: is not valid UTF-8; save it in that encoding"


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbforganizations:\r\n  - name: acme\r\n")
    assert load(path, environ=ENVIRON).organizations[0].name == "acme"


def test_endless_nesting_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match=r"^config\.yaml:1: nested too deeply"):
        _read("[" * 5_000)


def test_a_fifo_is_rejected_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert _refusal(tmp_path / "pipe").endswith(
        "/pipe: cannot be read (not a regular file but a pipe or a device); expected a regular file"
    )
    assert "(not a regular file" in _refusal(Path("/dev/zero"))


def test_a_link_to_a_file_is_followed_as_in_a_mounted_config_map(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "config.yaml").write_text("organizations: [{name: acme}]")
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "config.yaml").symlink_to("link/config.yaml")
    assert load(tmp_path / "config.yaml", environ=ENVIRON).organizations[0].name == "acme"


@pytest.mark.parametrize(
    ("text", "line"),
    [("- a\n" * 262_144, 50_001), ("[" + "a," * 500_000 + "]", 1), ("a: 1\n" * 200_000, 25_001)],
)
def test_too_many_values_are_rejected_quickly(text: str, line: int) -> None:
    began = time.process_time()
    with pytest.raises(ConfigurationError) as caught:
        _read(text)
    assert (
        str(caught.value)
        == f"config.yaml:{line}: more than 50,000 values, counting aliases; expected fewer"
    )
    assert time.process_time() - began < 2  # 17 s without the limit


def test_only_the_first_hundred_problems_are_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read("organizations:\n" + "  - {name: a b}\n" * 10_000)
    lines = str(caught.value).splitlines()
    assert lines[0] == "config.yaml: more than 100 problems; only the first are shown"
    assert [line.split(" is not")[0] for line in lines[1:]] == [
        f"config.yaml:{number + 2}: organizations[{number}].name:" for number in range(100)
    ]


@pytest.mark.parametrize(
    "path",
    [ROOT / "config.example.yaml", *sorted((ROOT / "tests/config/invalid").glob("*.yaml"))],
    ids=lambda path: path.stem,
)
def test_both_yaml_parsers_return_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_bytes().decode(errors="replace")

    def read() -> object:
        try:
            return parse_yaml(text, file="f")
        except ConfigurationError as error:
            return str(error)

    found = read()
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    assert read() == found


def test_an_override_keeps_the_rules_that_it_does_not_set() -> None:
    policy = _one("""
        organizations:
          - name: acme
            policy:
              overrides:
                - {owners: ["sa-batch*"], resources: [lkc-1], max_age: 7d, undescribed: null}
                - {resources: [cloud]}
    """).policy
    first, second = policy.overrides
    assert (first.owners, first.resources) == (("sa-batch*",), ("lkc-1",))
    assert first.rules == {"max_age": 604_800, "undescribed": None}
    assert (second.owners, second.resources, second.rules) == ((), ("cloud",), {})


def test_an_override_may_set_every_rule_of_the_policy() -> None:
    assert [*Policy.model_fields] == [*RULES, "exempt", "overrides"]


def test_a_rule_that_is_null_differs_from_one_that_is_not_set() -> None:
    text = "organizations: [{name: acme, policy: {overrides: [{owners: [sa-1]%s}]}}]"
    assert _one(text % "") == _one(text % "")
    assert _one(text % "") != _one(text % ", max_age: null")
    assert _one(text % ", max_age: 7d") != _one(text % ", max_age: 8d")


def test_the_overrides_of_an_organization_replace_those_of_the_defaults() -> None:
    acme, beta = _read("""
        defaults: {policy: {overrides: [{owners: [sa-1]}]}}
        organizations: [{name: acme}, {name: beta, policy: {overrides: []}}]
    """).organizations
    assert [each.owners for each in acme.policy.overrides] == [("sa-1",)]
    assert beta.policy.overrides == ()


TEAMS = """
teams:
  - {name: payments, owners: ["sa-pay*"]}
  - {name: orders, resources: [lkc-1, lkc-2]}
teams_file: teams.yaml
organizations: [{name: acme}, {name: beta}]
"""


def test_the_teams_of_the_file_follow_those_of_the_configuration(tmp_path: Path) -> None:
    # A name is unique in its list only, so that the file may add to a team.
    (tmp_path / "teams.yaml").write_text("- {name: payments, owners: [u-1], resources: [cloud]}\n")
    acme, beta = _read(TEAMS, folder=tmp_path).organizations
    assert [(team.name, team.owners, team.resources) for team in acme.teams] == [
        ("payments", ("sa-pay*",), ()),
        ("orders", (), ("lkc-1", "lkc-2")),
        ("payments", ("u-1",), ("cloud",)),
    ]
    assert beta.teams == acme.teams


def test_a_changed_teams_file_changes_the_organizations(tmp_path: Path) -> None:
    # A reload does not touch organizations that are equal.
    (tmp_path / "teams.yaml").write_text("- {name: data, owners: [sa-1]}\n")
    before = _read(TEAMS, folder=tmp_path)
    assert _read(TEAMS, folder=tmp_path) == before
    (tmp_path / "teams.yaml").write_text("[]\n")
    assert _read(TEAMS, folder=tmp_path) != before


def test_teams_are_not_a_setting_of_an_organization() -> None:
    assert "teams" not in Organization.model_fields
    assert _one("organizations: [{name: acme}]").teams == ()


def test_a_teams_file_that_is_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "teams.yaml").mkdir()
    with pytest.raises(ConfigurationError, match="expected a regular file"):
        _read(TEAMS, folder=tmp_path)
