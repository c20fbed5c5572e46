"""YAML text to plain data that knows its lines.

Scalars mean what YAML 1.2 says, as in the editors that use our JSON Schema: ``on`` and ``no`` are
text, ``1:30`` is text, only ``true`` and ``false`` are truth values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from exporter.config.nodes import MOST_VALUES, SCALARS, TAG, TooManyValuesError, compose
from exporter.errors import ConfigurationError, Problem
from exporter.redaction import looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Place: TypeAlias = tuple[str | int, ...]

_TOO_MANY = f"more than {MOST_VALUES:,} values, aliases followed"


@dataclass(frozen=True)
class Document:
    """A document and where each of its values is written."""

    data: Value
    lines: Mapping[Place, int]
    """The line of each place: of its key, or of its entry in a list. The whole is at line 1."""
    problems: tuple[Problem, ...]
    """What is wrong with the notation itself; ``data`` is the rest."""


def kind_of(value: object) -> str:
    """Return what ``value`` is, in the words of the people who write YAML."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a truth value"
    kinds = {int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), "something else")


def dotted(place: Place) -> str:
    """Return ``place`` as people write it: ``organizations[0].rate_limit.reserve``.

    A key that may be a value, a secret even, that slipped into its place is not shown.
    """
    text, shown = "", re.compile(r"[A-Za-z0-9_-]{1,40}")
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        harmless = shown.fullmatch(step) and not looks_like_a_secret(step)
        text += ("." if text else "") + (step if harmless else '"…"')
        if step == "credentials":
            shown = re.compile(r"[a-z_]{1,20}")
    return text


def read_document(text: str, *, file: str) -> Document:
    """Return what ``text`` says.

    Raises :class:`~exporter.errors.ConfigurationError` if it is not one YAML document.
    """
    try:
        root = compose(text)
        builder = _Builder(file)
        data = None if root is None else builder.build(root, ())
    except MarkedYAMLError as error:
        # What is never closed is met at the end of the file, and mended where it begins.
        several = "another document" in (error.problem or "")
        mark = (None if several else error.context_mark) or error.problem_mark
        line = mark.line + 1 if mark else 1
        problem = Problem(file, line, "", _syntax(error.problem or "no YAML"))
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = Problem(file, line, "", "a character that YAML does not allow; remove it")
    except TooManyValuesError as error:
        problem = Problem(file, error.line, "", _TOO_MANY)
    except RecursionError:
        problem = Problem(file, 1, "", "nested far too deep; expected a few levels")
    else:
        return Document(data, {(): 1, **builder.lines}, tuple(builder.problems))
    # Outside of the handlers: their error quotes the document, which may hold secrets.
    raise ConfigurationError((problem,))


def _syntax(problem: str) -> str:
    if "\\t" in problem:
        return "a tab; YAML wants spaces for indentation"
    if "single document" in problem or "but found another document" in problem:
        return "a second document begins here; expected one"
    # The names of anchors and tags are what was written; of the rest nothing longer is quoted.
    problem = re.sub(r" '(?!<)[^']{2,}'", "", problem)
    return f"this is not YAML: {problem}; look at what begins here"


class _Builder:
    """Makes plain data of nodes and notes lines and problems on the way."""

    def __init__(self, file: str) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._values = 0
        self._open: set[int] = set()
        """The ids of the nodes being built: an alias to one of them would never end."""

    def build(self, node: Node, place: Place) -> Value:
        self._values += 1
        if self._values > MOST_VALUES:
            raise TooManyValuesError(node.start_mark.line + 1)
        if isinstance(node, ScalarNode):
            return self._scalar(node, place)
        if id(node) in self._open:
            self._complain(node, place, "an alias to something that contains it; write it out")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode) and node.tag == TAG + "seq":
                return [self._entry(item, (*place, i)) for i, item in enumerate(node.value)]
            if isinstance(node, MappingNode) and node.tag == TAG + "map":
                return self._mapping(node, place)
        finally:
            self._open.remove(id(node))
        self._complain(node, place, "a YAML tag that has no meaning here; remove it")
        return None

    def _entry(self, node: Node, place: Place) -> Value:
        self.lines[place] = node.start_mark.line + 1
        return self.build(node, place)

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Value]:
        data: dict[str, Value] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._complain(key, place, "a key that is a list or a mapping; expected a name")
            elif key.value == "<<" and not key.style:
                self._complain(
                    key,
                    place,
                    "merge keys (`<<`) are not supported; what all organizations share belongs in"
                    " `defaults`",
                )
            elif key.value in data:
                first = self.lines[*place, key.value]
                again = f"is written twice, first in line {first}; keep one"
                self._complain(key, (*place, key.value), again)
            else:
                self.lines[*place, key.value] = key.start_mark.line + 1
                data[key.value] = self.build(value, (*place, key.value))
        return data

    def _scalar(self, node: ScalarNode, place: Place) -> Value:
        name, text = node.tag.removeprefix(TAG), str(node.value)
        if name == "str":
            return text
        pattern, _, convert = SCALARS.get(name, (None, "", str))
        if pattern is None or not pattern.fullmatch(text):
            self._complain(node, place, "a YAML tag that does not fit its value; remove it")
            return None
        return convert(text)

    def _complain(self, node: Node, place: Place, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(self._file, line, dotted(place), message))
