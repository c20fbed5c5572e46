"""Parses YAML into plain data and the line of each value.

Scalars follow YAML 1.2, as in the editors that use the JSON Schema: ``on``, ``no`` and ``1:30`` are
strings; only ``true`` and ``false`` are booleans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from exporter.config.yaml_nodes import MOST_VALUES, SCALARS, TAG, TooManyValuesError, compose
from exporter.errors import ConfigurationError, Problem
from exporter.redaction import looks_like_a_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
KeyPath: TypeAlias = tuple[str | int, ...]

_USE_DEFAULTS = "put shared settings in `defaults`"
_TOO_MANY = f"more than {MOST_VALUES:,} values, counting aliases; expected fewer"


@dataclass(frozen=True)
class YamlDocument:
    """A YAML document with the line of each value."""

    data: Value
    lines: Mapping[KeyPath, int]
    """By path: the line of the key, or of the list entry. The document itself is on line 1."""
    problems: tuple[Problem, ...]
    """Problems with the YAML itself; ``data`` lacks the values concerned."""


def kind_of(value: object) -> str:
    """Return the kind of ``value`` in the terms of YAML, such as ``a list``."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a boolean"
    kinds = {int: "a number", float: "a number", str: "a string", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), "something else")


def dotted(path: KeyPath, *, known: Collection[str] = ()) -> str:
    """Return ``path`` in dotted form: ``organizations[0].rate_limit.reserve``.

    Hides a key that may be a misplaced value, such as a secret, unless it is ``known``.
    """
    text, shown = "", re.compile(r"[A-Za-z0-9_-]{1,40}")
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        harmless = step in known or (shown.fullmatch(step) and not looks_like_a_secret(step))
        text += ("." if text else "") + (step if harmless else '"…"')
        if step == "credentials":
            shown = re.compile(r"[a-z_]{1,20}")
    return text


def parse_yaml(text: str, *, file: str, merge: str = _USE_DEFAULTS) -> YamlDocument:
    """Return the document in ``text``. ``merge``: what to write instead of a merge key.

    Raises :class:`~exporter.errors.ConfigurationError` if it is not one YAML document.
    """
    try:
        root = compose(text)
        builder = _Builder(file, merge)
        data = None if root is None else builder.build(root, ())
    except MarkedYAMLError as error:
        # An unclosed quote or bracket is found at the end of the file but fixed where it starts.
        several = "another document" in (error.problem or "")
        mark = (None if several else error.context_mark) or error.problem_mark
        line = mark.line + 1 if mark else 1
        problem = Problem(file, line, "", _syntax(error.problem or "no YAML"))
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = Problem(file, line, "", "a character that is not allowed in YAML; remove it")
    except TooManyValuesError as error:
        problem = Problem(file, error.line, "", _TOO_MANY)
    except RecursionError:
        problem = Problem(file, 1, "", "nested too deeply; expected a few levels")
    else:
        return YamlDocument(data, {(): 1, **builder.lines}, tuple(builder.problems))
    # Outside the handlers, so that the error has no context: it would quote the document, which may
    # contain secrets.
    raise ConfigurationError((problem,))


def _syntax(problem: str) -> str:
    if "\\t" in problem:
        return "a tab; expected spaces, because YAML does not allow tabs here"
    if "single document" in problem or "but found another document" in problem:
        return "a second YAML document; expected only one"
    # Quote nothing longer than a character: names of anchors and tags may be misplaced secrets.
    problem = re.sub(r" '(?!<)[^']{2,}'", "", problem)
    return f"not valid YAML: {problem}; check what starts on this line"


class _Builder:
    """Converts nodes to plain data, and records lines and problems."""

    def __init__(self, file: str, merge: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._file, self._merge = file, merge
        self._values = 0
        self._open: set[int] = set()
        """The ids of the nodes being built. An alias to one of them would never end."""

    def build(self, node: Node, path: KeyPath) -> Value:
        self._values += 1
        if self._values > MOST_VALUES:
            raise TooManyValuesError(node.start_mark.line + 1)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            problem = "an alias to a value that contains it; expected the value itself"
            self._add_problem(node, path, problem)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode) and node.tag == TAG + "seq":
                return [self._entry(item, (*path, i)) for i, item in enumerate(node.value)]
            if isinstance(node, MappingNode) and node.tag == TAG + "map":
                return self._mapping(node, path)
        finally:
            self._open.remove(id(node))
        self._add_problem(node, path, "a YAML tag that is not supported here; remove it")
        return None

    def _entry(self, node: Node, path: KeyPath) -> Value:
        self.lines[path] = node.start_mark.line + 1
        return self.build(node, path)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Value]:
        data: dict[str, Value] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                problem = "a list or mapping used as a key; expected the name of a setting"
                self._add_problem(key, path, problem)
            elif key.value == "<<" and not key.style:
                problem = f"merge keys (`<<`) are not supported; {self._merge}"
                self._add_problem(key, path, problem)
            elif key.value in data:
                first = self.lines[*path, key.value]
                again = f"is set twice, first on line {first}; keep one"
                self._add_problem(key, (*path, key.value), again)
            else:
                self.lines[*path, key.value] = key.start_mark.line + 1
                data[key.value] = self.build(value, (*path, key.value))
        return data

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Value:
        name, text = node.tag.removeprefix(TAG), str(node.value)
        if name == "str":
            return text
        pattern, _, convert = SCALARS.get(name, (None, "", str))
        if pattern is None or not pattern.fullmatch(text):
            self._add_problem(node, path, "a YAML tag that does not match its value; remove it")
            return None
        return convert(text)

    def _add_problem(self, node: Node, path: KeyPath, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(self._file, line, dotted(path), message))
