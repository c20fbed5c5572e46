"""Reads the text of a configuration file, and limits the number of its problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from exporter.config.files import read_file
from exporter.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MOST_PROBLEMS = 100
_LARGEST_FILE = 1024 * 1024  # bytes


def read_text(path: Path, *, flag: str) -> str:
    """Return the content of the configuration file at ``path``, which ``flag`` names.

    Raises :class:`~exporter.errors.ConfigurationError`.
    """
    try:
        data = read_file(path, limit=_LARGEST_FILE)
    except FileNotFoundError:
        _fail(path, f"no such file; set `{flag}` to an existing file")
    except PermissionError:
        _fail(path, "permission denied; make it readable for the user that runs the exporter")
    except OSError as error:
        _fail(path, f"cannot be read ({error.strerror}); expected a regular file")
    if len(data) > _LARGEST_FILE:
        _fail(path, "is larger than 1 MiB; expected a configuration file")
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if escaped := re.search("[\ud800-\udfff]", text):
        # Not the UnicodeDecodeError, which contains the bytes.
        line = text.count("\n", 0, escaped.start()) + 1
        _fail(path, "is not valid UTF-8; save it in that encoding", line=line)
    return text


def _fail(path: Path, message: str, *, line: int = 0) -> NoReturn:
    raise ConfigurationError((Problem(str(path), line, "", message),)) from None


def limited(problems: Collection[Problem], file: str) -> tuple[Problem, ...]:
    """Return ``problems``, or a note and the first :data:`MOST_PROBLEMS` of them."""
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems)
    note = Problem(file, 0, "", f"more than {MOST_PROBLEMS} problems; only the first are shown")
    return note, *sorted(problems)[:MOST_PROBLEMS]
