"""Reads mappings of the web configuration, and collects problems and file versions."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from exporter.config.files import read_file, version_of
from exporter.config.messages import hint_for
from exporter.config.text import MOST_PROBLEMS
from exporter.config.yaml_document import dotted, kind_of
from exporter.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from exporter.config.files import FileVersion
    from exporter.config.yaml_document import KeyPath, YamlDocument

_LONGEST_TEXT = 256 * 1024  # characters; a chain of certificates takes less than 64 KiB
_LONGEST_ENTRY = 1024  # characters
_MOST_ENTRIES = 1000


class Reading:
    """The problems of one attempt to read a web configuration, and the files that it read."""

    def __init__(self, document: YamlDocument, file: str, folder: Path) -> None:
        self.problems: set[Problem] = set(document.problems)
        self.files: dict[str, FileVersion] = {}
        """By absolute path: the version before the file was read."""
        self._unparsed = {(problem.line, problem.path) for problem in document.problems}
        self._lines = document.lines
        self._file, self._folder = file, folder

    def add_problem(self, path: KeyPath, message: str, *, known: Collection[str] = ()) -> None:
        """Add a problem at the nearest line of ``path``. ``known``: keys that may be shown."""
        nearest = path
        while nearest not in self._lines:
            nearest = nearest[:-1]
        problem = Problem(self._file, self._lines[nearest], dotted(path, known=known), message)
        if (problem.line, problem.path) not in self._unparsed:
            self.problems.add(problem)

    def has_too_many_problems(self) -> bool:
        """Whether more problems were found than are shown."""
        return len(self.problems) > MOST_PROBLEMS

    def read(self, name: str, *, limit: int) -> bytes:
        """Return the content of the file ``name``, at most ``limit`` bytes.

        Raises :class:`ValueError` with a message about the setting.
        """
        path = self._folder / name
        if not name.strip() or "\0" in name or "\n" in name:
            raise ValueError("is not a valid path; expected the path of a file in PEM format")
        self.files[str(path)] = version_of(path)
        try:
            data = read_file(path, limit=limit)
        except FileNotFoundError:
            problem = "does not exist; relative paths start at the folder of this file"
        except PermissionError:
            problem = "cannot be read; make it readable for the user that runs the exporter"
        except OSError as error:
            problem = f"cannot be read ({error.strerror}); expected a regular file"
        else:
            if len(data) <= limit:
                return data
            problem = f"is larger than {limit // 2**20} MiB; expected PEM format"
        raise ValueError(f"the file {problem}")


class Section:
    """A mapping of settings whose names are all known."""

    def __init__(
        self, reading: Reading, path: KeyPath, data: Mapping[str, object], names: Collection[str]
    ) -> None:
        self.reading, self.path = reading, path
        self._data = data
        for key in data:
            if reading.has_too_many_problems():
                break
            if key not in names:
                self.add_problem(key, f"unknown setting{_guess(key, names)}")

    def get(self, key: str, default: object = None) -> object:
        """Return the value of the setting ``key``, of any kind."""
        return self._data.get(key, default)

    def add_problem(self, key: str, message: str) -> None:
        """Add a problem with the setting ``key``."""
        self.reading.add_problem((*self.path, key), message)

    def mapping(self, key: str, *, of: str = "settings") -> dict[str, object] | None:
        """Return a mapping; None if it is not set or not valid. ``of``: what messages call it."""
        value = self._value(key, dict, f"a mapping of {of}", "dict_type")
        return value if isinstance(value, dict) else None

    def section(self, key: str, names: Collection[str]) -> Section | None:
        """Return a mapping of settings with these ``names``; None if it is not set or not valid."""
        data = self.mapping(key)
        return None if data is None else Section(self.reading, (*self.path, key), data, names)

    def text(self, key: str) -> str:
        """Return a string; empty if it is not set or not valid."""
        if self._data.get(key) is None:
            return ""
        value = self._value(key, str, "a string", "string_type")
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            self.add_problem(key, "is too long; expected at most 256 KiB")
            return ""
        return value if isinstance(value, str) else ""

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return a boolean, or ``default`` if it is not set or not valid."""
        value = self._value(key, bool, "true or false", "bool_type")
        return value if isinstance(value, bool) else default

    def texts(self, key: str) -> list[str] | None:
        """Return the valid strings of a list; None if it is not set."""
        value = self._value(key, list, "a list", "tuple_type")
        if not isinstance(value, list):
            return None
        if len(value) > _MOST_ENTRIES:
            self.add_problem(key, f"has too many entries; expected at most {_MOST_ENTRIES}")
            return []
        entries: list[str] = []
        for position, entry in enumerate(value):
            if not isinstance(entry, str):
                hint = hint_for("string_type", entry)
                message = f"is {kind_of(entry)}; expected a string{hint}"
                self.reading.add_problem((*self.path, key, position), message)
            elif not entry.strip() or len(entry) > _LONGEST_ENTRY or not entry.isprintable():
                message = "is not valid; expected 1 to 1024 characters, no control characters"
                self.reading.add_problem((*self.path, key, position), message)
            else:
                entries.append(entry)
        return entries

    def _value(self, key: str, kind: type, expected: str, hint: str) -> object:
        if key not in self._data:
            return None
        value = self._data[key]
        if isinstance(value, kind):
            return value
        message = f"is {kind_of(value)}; expected {expected}{hint_for(hint, value)}"
        self.add_problem(key, message)
        return None


def _guess(key: str, names: Collection[str]) -> str:
    if ":" in key:
        hint = "; is a space missing after a colon?"
    elif close := difflib.get_close_matches(key.lower(), names, n=1):
        hint = f"; did you mean `{close[0]}`?"
    else:
        hint = "."
    return f"{hint} Expected here: {', '.join(names)}"
