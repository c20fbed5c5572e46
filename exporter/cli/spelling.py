"""Misspelled commands and flags."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_GO_STYLE = re.compile(r"-[a-z][a-z0-9.-]+(?:=.*)?", re.DOTALL)


def with_two_dashes(arguments: Sequence[str], flags: Collection[str]) -> list[str]:
    """Return ``arguments`` with ``-config.file`` as ``--config.file``, as programs in Go accept it.

    ``flags``: those that are known, with their dashes. Others stay as they are.
    """
    return [
        f"-{each}" if _GO_STYLE.fullmatch(each) and f"-{_name(each)}" in flags else each
        for each in arguments
    ]


def unknown_command(given: str, commands: Collection[str]) -> str:
    """Return a message about a command that does not exist."""
    hint = _closest(given, commands) or "."
    return f"unknown command {given!r}{hint} Expected one of {', '.join(commands)}"


def unknown_arguments(
    unknown: Sequence[str], *, command: str, flags: Mapping[str, Collection[str]]
) -> str:
    """Return a message about arguments of ``command`` that do not exist.

    ``flags``: by command, with their dashes.
    """
    return f"unrecognized arguments: {' '.join(unknown)}{_hint(unknown[0], command, flags)}"


def _hint(given: str, command: str, flags: Mapping[str, Collection[str]]) -> str:
    if given in flags:
        return f"; write the command before its flags: {given} …"
    if not given.startswith("-"):
        return ""
    name = f"--{_name(given).lstrip('-')}"
    if others := [each for each, known in flags.items() if name in known]:
        return f"; {name} is a flag of {' and '.join(others)}"
    return _closest(name, flags[command])


def _closest(given: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(given.lower(), known, n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""


def _name(argument: str) -> str:
    return argument.partition("=")[0]
