"""A shard reads nothing that belongs to the organizations of other shards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from exporter.config import Config, Shard, load
from exporter.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of two shards, globex and umbrella belong to 0, acme and initech to 1.
CONFIG = """\
defaults: {tls: {ca_file: missing/default-ca.pem}}
organizations:
  - name: globex
    tls: {ca_file: null}
    credentials: {api_key_file: globex/key, api_secret_file: globex/secret}
  - name: umbrella
    tls: {ca_file: null}
    credentials: {api_key: KEYID, api_secret_env: UMBRELLA}
  - name: acme
    tls: {ca_file: acme/ca.pem}
    usage: {state_file: acme/usage/state.json}
    credentials: {identity_pool: pool-abc, token_file: acme/token}
  - name: initech
    credentials:
      identity_pool: pool-abc
      oauth: {token_url: https://idp.example, client_id: c, client_secret_env: INITECH}
"""
PROBLEMS_OF_1 = [
    "1: defaults.tls.ca_file: the file does not exist",
    "10: organizations[2].tls.ca_file: the file does not exist",
    "11: organizations[2].usage.state_file: is in a folder that does not exist",
    "12: organizations[2].credentials.token_file: the file does not exist",
    "16: organizations[3].credentials.oauth.client_secret_env: the environment variable `INITECH`",
]


class Environment(Mapping[str, str]):
    """Variables that remember which of them were read."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration beside the files of globex, and return its path."""
    (tmp_path / "globex").mkdir()
    (tmp_path / "globex" / "key").write_text("KEYID")
    (tmp_path / "globex" / "secret").write_text("hush")
    for name in ("key", "secret"):
        (tmp_path / "globex" / name).chmod(0o600)

    def written(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return written


def problems(path: Path, environ: Mapping[str, str], *, shard: Shard) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, environ=environ, shard=shard)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def names(config: Config) -> list[str]:
    return [each.name for each in config.organizations]


def test_files_and_variables_of_other_shards_may_be_missing(
    write: Callable[[str], Path],
) -> None:
    environ = Environment(UMBRELLA="hush")
    config = load(write(CONFIG), environ=environ, shard=Shard(0, 2))
    assert names(config) == ["globex", "umbrella"]
    assert (config.shard, config.configured) == (Shard(0, 2), 4)
    assert environ.read == {"UMBRELLA"}


def test_those_of_its_own_organizations_are_checked(write: Callable[[str], Path]) -> None:
    """Also those in the defaults, at their line, if one of its organizations uses them."""
    found = problems(write(CONFIG), Environment(), shard=Shard(1, 2))
    assert [found[n].startswith(each) for n, each in enumerate(PROBLEMS_OF_1)] == [True] * 5
    assert len(found) == 5


def test_without_shards_every_organization_is_checked(write: Callable[[str], Path]) -> None:
    found = problems(write(CONFIG), Environment(), shard=Shard())
    assert [
        found[n].startswith(each) for n, each in zip((0, 2, 3, 4, 5), PROBLEMS_OF_1, strict=True)
    ] == [True] * 5
    assert found[1].startswith("8: organizations[1].credentials.api_secret_env: ")
    assert len(found) == 6


def test_existing_files_of_other_shards_are_not_opened(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    for name in ("acme/ca.pem", "acme/token"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / name)  # opening it would block
    opened: list[str] = []
    active = True
    sys.addaudithook(  # cannot be removed again
        lambda event, args: opened.append(str(args[0])) if active and event == "open" else None
    )
    load(write(CONFIG), environ=Environment(UMBRELLA="hush"), shard=Shard(0, 2))
    active = False
    inside = {
        each.removeprefix(f"{tmp_path}/") for each in opened if each.startswith(str(tmp_path))
    }
    assert inside == {"config.yaml", "globex/key", "globex/secret"}


@pytest.mark.parametrize("shard", [Shard(0, 2), Shard(0, 3)])  # the latter has no organizations
@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("name: acme", "name: globex", "9: organizations[2].name: `globex` is already used by"),
        (
            "token_file: acme/token",
            "token_file: ''",
            "12: organizations[2].credentials.token_file: is blank",
        ),
        (
            "https://idp.example",
            "ftp://idp.example",
            "16: organizations[3].credentials.oauth.token_url: ",
        ),
        (", api_secret_env: UMBRELLA", "", "8: organizations[1].credentials: no API secret"),
        (
            "api_secret_env: UMBRELLA",
            "api_secret_env: a b",
            "8: organizations[1].credentials.api_secret_env: is not a valid variable name",
        ),
        ("ca_file: acme/ca.pem", "ca_file: 1", "10: organizations[2].tls.ca_file: is a number"),
        ("name: initech", "name: init ech", "13: organizations[3].name: "),
        (
            "  - name: initech\n",
            "  - name: initech\n    usage: {state_file: x/../acme/usage/state.json}\n",
            "14: organizations[3].usage.state_file: is also the file of `acme`",
        ),
    ],
)
def test_every_shard_validates_the_structure_of_the_whole_file(
    write: Callable[[str], Path], shard: Shard, before: str, after: str, problem: str
) -> None:
    assert CONFIG.count(before) == 1
    found = problems(
        write(CONFIG.replace(before, after)),
        Environment(UMBRELLA="hush", INITECH="hush"),
        shard=shard,
    )
    assert any(each.startswith(problem) for each in found), found
    if after != "name: globex":  # whose files are read
        assert len(found) == 1


def test_a_shard_may_have_no_organizations(write: Callable[[str], Path]) -> None:
    config = load(write("organizations: [{name: acme}]"), environ={}, shard=Shard(2, 3))
    assert (names(config), config.configured) == ([], 1)
    assert config.describe_shard() == "shard 2 of 3 (0 to 2): 0 of 1 organization"


def test_a_configuration_without_organizations_is_rejected_also_by_a_shard(
    write: Callable[[str], Path],
) -> None:
    found = problems(write("organizations: []"), {}, shard=Shard(2, 3))
    assert found == ["1: organizations: is an empty list; expected at least one entry"]
