"""Loads a configuration and reports all of its problems at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field, ValidationError

from exporter.config import schema
from exporter.config.credentials_section import STANDARD_CREDENTIALS, credential_problems
from exporter.config.fields import NAME, ConfigSection, ContradictionError
from exporter.config.files import version_of
from exporter.config.messages import problem_message
from exporter.config.schema import Organization, Settings
from exporter.config.source_settings import ValidationContext
from exporter.config.teams import Team
from exporter.config.text import MOST_PROBLEMS, limited, read_text
from exporter.config.yaml_document import dotted, kind_of, parse_yaml
from exporter.errors import ConfigurationError, Problem
from exporter.redaction import looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.config.yaml_document import KeyPath, YamlDocument

_DEPENDENT_DEFAULT = "default_factory_not_called"
"""The pydantic error of a default that depends on an invalid setting."""
_REPEAT = "repeat the settings"
_SectionT = TypeVar("_SectionT", bound=ConfigSection)


@dataclass(frozen=True)
class Config:
    """A valid configuration."""

    organizations: tuple[Organization, ...]
    """At least one, with distinct names."""


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Return the configuration in the file at ``path``; see :func:`parse`."""
    text = read_text(path, flag="--config.file")
    return parse(text, file=str(path), folder=path.absolute().parent, environ=environ)


def parse(text: str, *, file: str, folder: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration in ``text``.

    ``file`` is its name in messages. Relative paths are resolved from ``folder``. ``environ`` is
    retained, because credentials are read from it again at every refresh. Raises
    :class:`~exporter.errors.ConfigurationError` with all problems.
    """
    document = parse_yaml(text, file=file)
    reader = _ConfigReader(document, file, ValidationContext(folder, environ))
    organizations = reader.read()
    if reader.problems:
        raise ConfigurationError(limited(reader.problems, file))
    return Config(organizations)


class _TopLevel(ConfigSection):
    """The structure of the file before defaults are merged into organizations."""

    defaults: dict[str, object] = Field(default_factory=dict)
    organizations: list[dict[str, object]]
    teams: list[dict[str, object]] = Field(default_factory=list)
    teams_file: str | None = None


class _DocumentReader:
    """Reads the settings of a document and collects its problems."""

    def __init__(self, document: YamlDocument, file: str, context: ValidationContext) -> None:
        self.problems: set[Problem] = set(document.problems)
        """A set, because a problem in ``defaults`` recurs in every organization."""
        self._unparsed = {(problem.line, problem.path) for problem in document.problems}
        """Line and path of the problems with the YAML; there is no value to validate."""
        self._data = document.data
        self._lines = document.lines
        self._file = file
        self._context = context

    def teams(self, written: object, path: KeyPath) -> tuple[Team, ...]:
        """Return the valid teams of the list ``written``, which is at ``path``."""
        entries = dict(enumerate(written)) if isinstance(written, list) else {}
        self._check_names(entries, path, "team")
        found = (
            self._validate(Team, entry, (*path, position))
            for position, entry in entries.items()
            if isinstance(entry, dict) and not self._has_too_many_problems()
        )
        return tuple(team for team in found if team)

    def list_of_teams(self) -> tuple[Team, ...]:
        """Return the valid teams of a document that is a list of teams."""
        if not isinstance(self._data, list):
            start = " (start each entry with `- `)" if isinstance(self._data, dict) else ""
            self._add_problem((), f"is {kind_of(self._data)}; expected a list of teams{start}")
            return ()
        for position, entry in enumerate(self._data):
            if not isinstance(entry, dict):
                self._validate(Team, entry, (position,))
        return self.teams(self._data, ())

    def _has_too_many_problems(self) -> bool:
        """Whether more problems were found than are shown; looking for others may take seconds."""
        return len(self.problems) > MOST_PROBLEMS

    def _validate(
        self, model: type[_SectionT], data: object, *roots: KeyPath, contradictions: bool = True
    ) -> _SectionT | None:
        """Return ``data`` as ``model``, or add its problems and return None.

        ``roots``: paths of the mappings that may contain the settings, most specific first.
        """
        try:
            return model.model_validate(data, context=self._context)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
        for error in errors:
            if self._has_too_many_problems():
                break
            path = error["loc"]
            paths = [path]
            cause = error.get("ctx", {}).get("error")
            if isinstance(cause, ContradictionError):
                if not contradictions:
                    continue
                paths += [(*path[:-1], other) for other in cause.others]
            if error["type"] != _DEPENDENT_DEFAULT:
                root = schema.ConfigFile if model is _TopLevel else model
                self._add_problem(
                    self._where_written(paths, roots), problem_message(error, model=root)
                )
        return None

    def _where_written(self, paths: list[KeyPath], roots: tuple[KeyPath, ...]) -> KeyPath:
        """Return the first of ``paths`` in the document, below the first possible of ``roots``."""
        for root in roots:
            for path in paths:
                if (*root, *path) in self._lines:
                    return (*root, *path)
        return (*roots[0], *paths[0])

    def _check_names(self, entries: Mapping[int, object], path: KeyPath, what: str) -> None:
        first: dict[str, int] = {}
        for position, entry in entries.items():
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not re.fullmatch(NAME.strip("^$"), name):
                continue
            before = first.setdefault(name, position)
            if before != position:
                line = self._lines[*path, before, "name"]
                shown = "" if looks_like_a_secret(name) else f"`{name}` "
                self._add_problem(
                    (*path, position, "name"),
                    f"{shown}is already used by the {what} on line {line}; expected a unique name",
                )

    def _add_problem(self, path: KeyPath, message: str) -> None:
        if path[2:3] == ("credentials",) and path[:3] not in self._lines:
            message += ". It is used because `credentials` is not set"
            path = path[:3]
        nearest = path
        while nearest not in self._lines:
            nearest = nearest[:-1]
        problem = Problem(self._file, self._lines[nearest], dotted(path), message)
        if (problem.line, problem.path) not in self._unparsed:
            self.problems.add(problem)


class _ConfigReader(_DocumentReader):
    """Reads the organizations of the configuration file."""

    def read(self) -> tuple[Organization, ...]:
        """Return the valid organizations."""
        data = {} if self._data is None else self._data
        self._validate(_TopLevel, data, ())
        parts = data if isinstance(data, dict) else {}
        written, defaults = parts.get("organizations"), parts.get("defaults")
        entries = dict(enumerate(written)) if isinstance(written, list) else {}
        if written == []:
            self._add_problem(("organizations",), "is an empty list; expected at least one entry")
        if isinstance(defaults, dict):
            # Defaults that contradict each other may be overridden in every organization.
            self._validate(Settings, defaults, ("defaults",), contradictions=not entries)
            defaults = {key: defaults[key] for key in defaults if key in Settings.model_fields}
        self._check_names(entries, ("organizations",), "organization")
        teams = self.teams(parts.get("teams"), ("teams",)) + self._teams_of_file(parts)
        self._context = replace(self._context, teams=teams)
        organizations = {
            position: organization
            for position, entry in entries.items()
            if isinstance(entry, dict)
            and not self._has_too_many_problems()
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
            path = path.resolve()  # two names of one file are the same file
            if first.setdefault(path, each.name) != each.name:
                self._add_problem(
                    ("organizations", position, "usage", "state_file"),
                    f"is also the file of `{first[path]}`; expected a file for each organization",
                )

    def _teams_of_file(self, parts: Mapping[str, object]) -> tuple[Team, ...]:
        """Return the valid teams of the file that ``teams_file`` names, if any."""
        name = parts.get("teams_file")
        if not isinstance(name, str):
            return ()
        if not name.strip() or "\0" in name:
            self._add_problem(
                ("teams_file",), "is not a valid path; expected the path of a file with teams"
            )
            return ()
        path = self._context.folder / name
        if version_of(path) is None:
            self._add_problem(
                ("teams_file",),
                "the file does not exist; relative paths start at the folder of the configuration",
            )
            return ()
        try:
            document = parse_yaml(read_text(path, flag="teams_file"), file=str(path), merge=_REPEAT)
        except ConfigurationError as error:
            self.problems |= {*error.problems}
            return ()
        reader = _DocumentReader(document, str(path), self._context)
        teams = reader.list_of_teams()
        self.problems |= reader.problems
        return teams

    def _organization(
        self, position: int, entry: Mapping[str, object], defaults: object
    ) -> Organization | None:
        path: KeyPath = ("organizations", position)
        credentials = entry.get("credentials")
        if isinstance(credentials, dict):
            for part, problem in credential_problems(credentials):
                self._add_problem((*path, "credentials", *part), problem)
        merged = _merge(defaults if isinstance(defaults, dict) else {}, entry)
        merged.setdefault("credentials", STANDARD_CREDENTIALS)
        return self._validate(Organization, merged, path, ("defaults",))


def _merge(defaults: Mapping[str, object], entry: Mapping[str, object]) -> dict[str, object]:
    """Return ``entry`` with missing settings from ``defaults``, recursively."""
    merged = {**defaults, **entry}
    for key, value in entry.items():
        default = defaults.get(key)
        if isinstance(value, dict) and isinstance(default, dict):
            merged[key] = _merge(default, value)
    return merged
