"""Reads the settings of a YAML document, and collects all of its problems with their lines."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from exporter.config.fields import NAME, ConfigSection, ContradictionError
from exporter.config.messages import problem_message
from exporter.config.text import MOST_PROBLEMS
from exporter.config.yaml_document import dotted
from exporter.errors import Problem
from exporter.redaction import looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.source_settings import ValidationContext
    from exporter.config.yaml_document import KeyPath, YamlDocument

_DEPENDENT_DEFAULT = "default_factory_not_called"
"""The pydantic error of a default that depends on an invalid setting."""
_SectionT = TypeVar("_SectionT", bound=ConfigSection)


class DocumentReader:
    """Reads the settings of a document and collects its problems. ``file``: its name in them."""

    def __init__(self, document: YamlDocument, file: str, context: ValidationContext) -> None:
        self.problems: set[Problem] = set(document.problems)
        """A set, because a problem in ``defaults`` recurs in every organization."""
        self.data = document.data
        self.lines = document.lines
        self.context = context
        self._unparsed = {(problem.line, problem.path) for problem in document.problems}
        """Line and path of the problems with the YAML; there is no value to validate."""
        self._file = file

    def has_too_many_problems(self) -> bool:
        """Whether more problems were found than are shown; looking for others may take seconds."""
        return len(self.problems) > MOST_PROBLEMS

    def validate(
        self,
        model: type[_SectionT],
        data: object,
        *roots: KeyPath,
        described_by: type[ConfigSection] | None = None,
        contradictions: bool = True,
        reads_sources: bool = True,
    ) -> _SectionT | None:
        """Return ``data`` as ``model``, or add its problems and return None.

        ``roots``: paths of the mappings that may contain the settings, most specific first.
        ``described_by``: the model that has the settings for messages, by default ``model``.
        ``contradictions``: whether settings that contradict each other are a problem.
        ``reads_sources``: whether the files and variables in ``data`` are read and checked.
        """
        context = self.context if reads_sources else replace(self.context, reads_sources=False)
        try:
            return model.model_validate(data, context=context)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
        for error in errors:
            if self.has_too_many_problems():
                break
            path = error["loc"]
            paths = [path]
            cause = error.get("ctx", {}).get("error")
            if isinstance(cause, ContradictionError):
                if not contradictions:
                    continue
                paths += [(*path[:-1], other) for other in cause.others]
            if error["type"] != _DEPENDENT_DEFAULT:
                message = problem_message(error, model=described_by or model)
                self.add_problem(self._where_written(paths, roots), message)
        return None

    def _where_written(self, paths: list[KeyPath], roots: tuple[KeyPath, ...]) -> KeyPath:
        """Return the first of ``paths`` in the document, below the first possible of ``roots``."""
        for root in roots:
            for path in paths:
                if (*root, *path) in self.lines:
                    return (*root, *path)
        return (*roots[0], *paths[0])

    def check_names(self, entries: Mapping[int, object], path: KeyPath, what: str) -> None:
        """Add a problem for each of ``entries``, by position, that has the name of another."""
        first: dict[str, int] = {}
        for position, entry in entries.items():
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not re.fullmatch(NAME.strip("^$"), name):
                continue
            before = first.setdefault(name, position)
            if before != position:
                line = self.lines[*path, before, "name"]
                shown = "" if looks_like_a_secret(name) else f"`{name}` "
                self.add_problem(
                    (*path, position, "name"),
                    f"{shown}is already used by the {what} on line {line}; expected a unique name",
                )

    def add_problem(self, path: KeyPath, message: str) -> None:
        """Add a problem with the setting at ``path``, or with the nearest one that is written."""
        nearest = path
        while nearest not in self.lines:
            nearest = nearest[:-1]
        problem = Problem(self._file, self.lines[nearest], dotted(path), message)
        if (problem.line, problem.path) not in self._unparsed:
            self.problems.add(problem)
