"""Reads teams from the configuration file and from the file that its ``teams_file`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.document_reader import DocumentReader
from exporter.config.files import version_of
from exporter.config.teams import Team
from exporter.config.text import read_text
from exporter.config.yaml_document import kind_of, parse_yaml
from exporter.errors import ConfigurationError

if TYPE_CHECKING:
    from exporter.config.yaml_document import KeyPath

_FILE: KeyPath = ("teams_file",)


def read_teams(reader: DocumentReader, written: object, path: KeyPath) -> tuple[Team, ...]:
    """Return the valid teams of the list ``written``, which is at ``path`` of the document."""
    entries = dict(enumerate(written)) if isinstance(written, list) else {}
    reader.check_names(entries, path, "team")
    found = (
        reader.validate(Team, entry, (*path, position))
        for position, entry in entries.items()
        if isinstance(entry, dict) and not reader.has_too_many_problems()
    )
    return tuple(team for team in found if team)


def read_teams_file(reader: DocumentReader, name: object) -> tuple[Team, ...]:
    """Return the valid teams of the file ``name``, if it is one, and add its problems."""
    if not isinstance(name, str):
        return ()
    if not name.strip() or "\0" in name:
        reader.add_problem(_FILE, "is not a valid path; expected the path of a file with teams")
        return ()
    path = reader.context.folder / name
    if version_of(path) is None:
        reader.add_problem(
            _FILE,
            "the file does not exist; relative paths start at the folder of the configuration",
        )
        return ()
    try:
        document = parse_yaml(
            read_text(path, flag="teams_file"), file=str(path), merge="repeat the settings"
        )
    except ConfigurationError as error:
        reader.problems |= {*error.problems}
        return ()
    of_file = DocumentReader(document, str(path), reader.context)
    teams = _list_of_teams(of_file)
    reader.problems |= of_file.problems
    return teams


def _list_of_teams(reader: DocumentReader) -> tuple[Team, ...]:
    """Return the valid teams of a document that is a list of teams."""
    data = reader.data
    if not isinstance(data, list):
        start = " (start each entry with `- `)" if isinstance(data, dict) else ""
        reader.add_problem((), f"is {kind_of(data)}; expected a list of teams{start}")
        return ()
    for position, entry in enumerate(data):
        if not isinstance(entry, dict):
            reader.validate(Team, entry, (position,))
    return read_teams(reader, data, ())
