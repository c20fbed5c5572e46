"""Reading a configuration: all that is wrong with it at once, or every organization resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pydantic import Field, ValidationError

from exporter.config import schema
from exporter.config.document import dotted, read_document
from exporter.config.fields import NAME, ContradictionError, Section
from exporter.config.files import read_file
from exporter.config.schema import Organization, Settings
from exporter.config.sentences import sentence
from exporter.config.sources import STANDARD_CREDENTIALS, Surroundings, credential_mistakes
from exporter.errors import ConfigurationError, Problem
from exporter.redaction import looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from exporter.config.document import Document, Place

_LARGEST_FILE = 1024 * 1024  # bytes
_MOST_PROBLEMS = 100
_CONSEQUENCE = "default_factory_not_called"
"""What pydantic says of a default that depends on a setting that is wrong itself."""
_SectionT = TypeVar("_SectionT", bound=Section)


@dataclass(frozen=True)
class Config:
    """A valid configuration. Equal ones ask for the same."""

    organizations: tuple[Organization, ...]
    """At least one; their names are distinct."""


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Return the configuration in the file at ``path``; see :func:`parse`."""
    text = _read_text(path)
    return parse(text, file=str(path), folder=path.absolute().parent, environ=environ)


def parse(text: str, *, file: str, folder: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration that ``text`` holds.

    ``file`` is its name in messages; relative paths in it start at ``folder``; ``environ`` is kept,
    because credentials are read from it again at every refresh. Raises
    :class:`~exporter.errors.ConfigurationError` with every mistake.
    """
    document = read_document(text, file=file)
    reading = _Reading(document, file, Surroundings(folder, environ))
    organizations = reading.organizations()
    if reading.problems:
        raise ConfigurationError(_most(reading.problems, file))
    return Config(organizations)


def _most(problems: Collection[Problem], file: str) -> tuple[Problem, ...]:
    """Return ``problems``, if they are few enough to be read; else the first of them."""
    if len(problems) <= _MOST_PROBLEMS:
        return tuple(problems)
    note = Problem(file, 0, "", f"more than {_MOST_PROBLEMS} problems; these are the first")
    return note, *sorted(problems)[:_MOST_PROBLEMS]


def _read_text(path: Path) -> str:
    try:
        data = read_file(path, limit=_LARGEST_FILE)
    except FileNotFoundError:
        _refuse(path, "no such file; name an existing one with `--config.file`")
    except PermissionError:
        _refuse(path, "may not be read; let the user that the exporter runs as read it")
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror}); expected a regular file")
    if len(data) > _LARGEST_FILE:
        _refuse(path, "is larger than 1 MiB; is it a configuration?")
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if escaped := re.search("[\ud800-\udfff]", text):
        # Not the decoder's own error: that one carries the bytes.
        line = text.count("\n", 0, escaped.start()) + 1
        _refuse(path, "is not text in UTF-8; save it in that encoding", line=line)
    return text


def _refuse(path: Path, message: str, *, line: int = 0) -> NoReturn:
    raise ConfigurationError((Problem(str(path), line, "", message),)) from None


class _Shape(Section):
    """A document as far as it matters before defaults and organizations are put together."""

    defaults: dict[str, object] = Field(default_factory=dict)
    organizations: list[dict[str, object]]


class _Reading:
    """One document on its way to organizations; collects what is wrong with it."""

    def __init__(self, document: Document, file: str, around: Surroundings) -> None:
        self.problems: set[Problem] = set(document.problems)
        """A set: a mistake in ``defaults`` is met again in every organization."""
        self._unread = {(problem.line, problem.path) for problem in document.problems}
        """Where the notation was wrong, so that there is no value to complain of."""
        self._data = document.data
        self._lines = document.lines
        self._file = file
        self._around = around

    def organizations(self) -> tuple[Organization, ...]:
        """Return the organizations that are valid."""
        data = {} if self._data is None else self._data
        self._validate(_Shape, data, ())
        parts = data if isinstance(data, dict) else {}
        written, defaults = parts.get("organizations"), parts.get("defaults")
        entries = dict(enumerate(written)) if isinstance(written, list) else {}
        if written == []:
            self._complain(("organizations",), "is an empty list; expected at least one entry")
        if isinstance(defaults, dict):
            # What does not go together here may do so in every organization.
            self._validate(Settings, defaults, ("defaults",), contradictions=not entries)
            defaults = {key: defaults[key] for key in defaults if key in Settings.model_fields}
        self._check_names(entries)
        found = (
            self._organization(position, own, defaults)
            for position, own in entries.items()
            if isinstance(own, dict) and not self._enough()
        )
        return tuple(organization for organization in found if organization)

    def _enough(self) -> bool:
        """Whether there are more problems than are shown; to look for others would take seconds."""
        return len(self.problems) > _MOST_PROBLEMS

    def _organization(
        self, position: int, own: Mapping[str, object], defaults: object
    ) -> Organization | None:
        place: Place = ("organizations", position)
        credentials = own.get("credentials")
        if isinstance(credentials, dict):
            for mistake in credential_mistakes(credentials):
                self._complain((*place, "credentials"), mistake)
        merged = _merge(defaults if isinstance(defaults, dict) else {}, own)
        merged.setdefault("credentials", STANDARD_CREDENTIALS)
        return self._validate(Organization, merged, place, ("defaults",))

    def _validate(
        self, model: type[_SectionT], data: object, *roots: Place, contradictions: bool = True
    ) -> _SectionT | None:
        """Return ``data`` as ``model``, or complain; ``roots`` are where it may be written."""
        try:
            return model.model_validate(data, context=self._around)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
        for error in errors:
            if self._enough():
                break
            place = error["loc"]
            places = [place]
            cause = error.get("ctx", {}).get("error")
            if isinstance(cause, ContradictionError):
                if not contradictions:
                    continue
                places += [(*place[:-1], other) for other in cause.others]
            if error["type"] != _CONSEQUENCE:
                wording = schema.Document if model is _Shape else model
                self._complain(self._written(places, roots), sentence(error, model=wording))
        return None

    def _written(self, places: list[Place], roots: tuple[Place, ...]) -> Place:
        """Return the first of ``places`` that is written below the first possible of ``roots``."""
        for root in roots:
            for place in places:
                if (*root, *place) in self._lines:
                    return (*root, *place)
        return (*roots[0], *places[0])

    def _check_names(self, entries: Mapping[int, object]) -> None:
        first: dict[str, int] = {}
        for position, own in entries.items():
            name = own.get("name") if isinstance(own, dict) else None
            if not isinstance(name, str) or not re.fullmatch(NAME.strip("^$"), name):
                continue
            before = first.setdefault(name, position)
            if before != position:
                line = self._lines["organizations", before, "name"]
                shown = "" if looks_like_a_secret(name) else f"`{name}` "
                self._complain(
                    ("organizations", position, "name"),
                    f"{shown}is taken by the organization in line {line}; expected another name",
                )

    def _complain(self, place: Place, message: str) -> None:
        if place[2:3] == ("credentials",) and place[:3] not in self._lines:
            message += ". It is read because there are no `credentials` here"
            place = place[:3]
        nearest = place
        while nearest not in self._lines:
            nearest = nearest[:-1]
        problem = Problem(self._file, self._lines[nearest], dotted(place), message)
        if (problem.line, problem.path) not in self._unread:
            self.problems.add(problem)


def _merge(defaults: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Return ``own`` with what it does not say taken from ``defaults``, key by key."""
    merged = {**defaults, **own}
    for key, value in own.items():
        default = defaults.get(key)
        if isinstance(value, dict) and isinstance(default, dict):
            merged[key] = _merge(default, value)
    return merged
