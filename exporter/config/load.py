"""Loads a configuration and reports all of its problems at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from exporter.config.credentials_section import STANDARD_CREDENTIALS, credential_problems
from exporter.config.document_reader import DocumentReader
from exporter.config.fields import ConfigSection
from exporter.config.schema import ConfigFile, Organization, Settings
from exporter.config.shards import UNSHARDED, Shard
from exporter.config.source_settings import ValidationContext
from exporter.config.teams_reader import read_teams, read_teams_file
from exporter.config.text import limited, read_text
from exporter.config.yaml_document import parse_yaml
from exporter.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.yaml_document import KeyPath, YamlDocument


@dataclass(frozen=True)
class Config:
    """A valid configuration, or the part of it for one shard."""

    organizations: tuple[Organization, ...]
    """Those of the shard, with distinct names. Empty only if other shards have all of them."""
    shard: Shard
    configured: int
    """Number of organizations of all shards."""

    def describe_shard(self) -> str:
        """Return the shard and its number of organizations in words, empty if there is only one."""
        if not self.shard.is_one_of_several:
            return ""
        total = self.shard.total
        return (
            f"shard {self.shard.ordinal} of {total} (0 to {total - 1}):"
            f" {len(self.organizations)} of {_organizations(self.configured)}"
        )

    def describe_size(self) -> str:
        """Return the number of organizations in words, and the shard if there are several."""
        return self.describe_shard() or _organizations(self.configured)


def load(path: Path, *, environ: Mapping[str, str], shard: Shard = UNSHARDED) -> Config:
    """Return the configuration in the file at ``path``; see :func:`parse`."""
    text = read_text(path, flag="--config.file")
    folder = path.absolute().parent
    return parse(text, file=str(path), folder=folder, environ=environ, shard=shard)


def parse(
    text: str, *, file: str, folder: Path, environ: Mapping[str, str], shard: Shard = UNSHARDED
) -> Config:
    """Return the configuration in ``text`` for ``shard``.

    ``file`` is its name in messages. Relative paths are resolved from ``folder``. ``environ`` is
    retained, because credentials are read from it again at every refresh. The organizations of
    other shards are validated too, but no file or variable that they name is read. Raises
    :class:`~exporter.errors.ConfigurationError` with all problems.
    """
    document = parse_yaml(text, file=file)
    reader = _ConfigReader(document, file, ValidationContext(folder, environ), shard)
    organizations = reader.read()
    if reader.problems:
        raise ConfigurationError(limited(reader.problems, file))
    own = tuple(each for each in organizations if shard.has(each.name))
    return Config(own, shard, len(organizations))


class _TopLevel(ConfigSection):
    """The structure of the file before defaults are merged into organizations."""

    defaults: dict[str, object] = Field(default_factory=dict)
    organizations: list[dict[str, object]]
    teams: list[dict[str, object]] = Field(default_factory=list)
    teams_file: str | None = None


class _ConfigReader(DocumentReader):
    """Reads the organizations of the configuration file. ``shard``: whose files are read."""

    def __init__(
        self, document: YamlDocument, file: str, context: ValidationContext, shard: Shard
    ) -> None:
        super().__init__(document, file, context)
        self._shard = shard

    def read(self) -> tuple[Organization, ...]:
        """Return the valid organizations."""
        data = {} if self.data is None else self.data
        self.validate(_TopLevel, data, (), described_by=ConfigFile)
        parts = data if isinstance(data, dict) else {}
        written, defaults = parts.get("organizations"), parts.get("defaults")
        entries = dict(enumerate(written)) if isinstance(written, list) else {}
        if written == []:
            self.add_problem(("organizations",), "is an empty list; expected at least one entry")
        if isinstance(defaults, dict):
            # Defaults that contradict each other may be overridden in every organization. With
            # several shards, their files are read for the organizations that use them.
            self.validate(
                Settings,
                defaults,
                ("defaults",),
                contradictions=not entries,
                reads_sources=not self._shard.is_one_of_several,
            )
            defaults = {key: defaults[key] for key in defaults if key in Settings.model_fields}
        self.check_names(entries, ("organizations",), "organization")
        teams = read_teams(self, parts.get("teams"), ("teams",))
        teams += read_teams_file(self, parts.get("teams_file"))
        self.context = replace(self.context, teams=teams)
        organizations = {
            position: organization
            for position, entry in entries.items()
            if isinstance(entry, dict)
            and not self.has_too_many_problems()
            and (organization := self._organization(position, entry, defaults))
        }
        self._check_state_files(organizations)
        return tuple(organizations.values())

    def _check_state_files(self, organizations: Mapping[int, Organization]) -> None:
        first: dict[Path, str] = {}
        for position, each in organizations.items():
            path = each.usage.state_file
            if path is None:
                continue
            # Two names of one file are the same file. The files of other shards may not be
            # on this host, so only their paths are compared.
            for name in self._names_of_file(path, of=each.name):
                if first.setdefault(name, each.name) != each.name:
                    self.add_problem(
                        ("organizations", position, "usage", "state_file"),
                        f"is also the file of `{first[name]}`; expected a file for each"
                        " organization",
                    )

    def _names_of_file(self, path: Path, *, of: str) -> set[Path]:
        return {Path(os.path.normpath(path)), *([path.resolve()] if self._shard.has(of) else [])}

    def add_problem(self, path: KeyPath, message: str) -> None:
        """See :class:`~exporter.config.document_reader.DocumentReader`."""
        if path[2:3] == ("credentials",) and path[:3] not in self.lines:
            message += ". It is used because `credentials` is not set"
            path = path[:3]
        super().add_problem(path, message)

    def _organization(
        self, position: int, entry: Mapping[str, object], defaults: object
    ) -> Organization | None:
        path: KeyPath = ("organizations", position)
        credentials = entry.get("credentials")
        if isinstance(credentials, dict):
            for part, problem in credential_problems(credentials):
                self.add_problem((*path, "credentials", *part), problem)
        merged = _merge(defaults if isinstance(defaults, dict) else {}, entry)
        merged.setdefault("credentials", STANDARD_CREDENTIALS)
        name = entry.get("name")
        own = not self._shard.is_one_of_several or (
            isinstance(name, str) and name.isascii() and self._shard.has(name)
        )
        return self.validate(Organization, merged, path, ("defaults",), reads_sources=own)


def _organizations(count: int) -> str:
    return f"{count} organization" + ("" if count == 1 else "s")


def _merge(defaults: Mapping[str, object], entry: Mapping[str, object]) -> dict[str, object]:
    """Return ``entry`` with missing settings from ``defaults``, recursively."""
    merged = {**defaults, **entry}
    for key, value in entry.items():
        default = defaults.get(key)
        if isinstance(value, dict) and isinstance(default, dict):
            merged[key] = _merge(default, value)
    return merged
