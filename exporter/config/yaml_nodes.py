"""Composes YAML nodes from text in bounded time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import yaml
from yaml.composer import Composer
from yaml.error import MarkedYAMLError
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml.nodes import Node

Scalar: TypeAlias = "bool | int | float | str | None"

TAG = "tag:yaml.org,2002:"
MOST_VALUES = 50_000
"""More than twice what a thousand organizations need."""
SCALARS: dict[str, tuple[re.Pattern[str], str, Callable[[str], Scalar]]] = {
    "null": (re.compile("~|null|Null|NULL|"), "~nN", lambda _: None),
    "bool": (
        re.compile("true|True|TRUE|false|False|FALSE"),
        "tTfF",
        lambda text: text.lower() == "true",
    ),
    "int": (re.compile(r"[-+]?[0-9]{1,18}"), "-+0123456789", int),
    "float": (
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
        "-+.0123456789",
        float,
    ),
}
"""By tag: the pattern of the scalars, their possible first characters, and the conversion."""


class TooManyValuesError(ValueError):
    """The document has more than :data:`MOST_VALUES`; ``line`` has the first one beyond them."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__()


def compose(text: str) -> Node | None:
    """Return the root of the document in ``text``, None if it is empty.

    Raises :class:`TooManyValuesError`, ``YAMLError``, and ``RecursionError`` for deep nesting.
    """
    if yaml.__with_libyaml__:
        try:
            return _FastLoader(text).get_single_node()
        except TooManyValuesError:
            raise
        except (yaml.YAMLError, ValueError, RecursionError):
            pass  # the pure Python parser reports it in the same words on every machine
    return _Loader(text).root()


class _Resolver(BaseResolver):
    """Resolves the scalars of the core schema of YAML 1.2."""


for _name, (_pattern, _first, _) in SCALARS.items():
    _whole = re.compile(f"(?:{_pattern.pattern})$")
    _Resolver.add_implicit_resolver(
        TAG + _name, _whole, [*_first, ""] if _name == "null" else [*_first]
    )


class _BoundedComposer(Composer):
    _values = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        node = super().compose_node(parent, index)
        self._values += 1
        if self._values > MOST_VALUES:
            raise TooManyValuesError(1 if node is None else node.start_mark.line + 1)
        return node


class _Loader(Reader, Scanner, Parser, _BoundedComposer, _Resolver):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        _Resolver.__init__(self)

    def root(self) -> Node | None:
        try:
            return self.get_single_node()
        except TooManyValuesError:
            raise
        except (ValueError, OverflowError):  # not handled by PyYAML: "\UFFFFFFFF"
            problem, mark = "a number that is out of range", self.get_mark()
        raise MarkedYAMLError(problem=problem, problem_mark=mark)


if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _FastLoader(_BoundedComposer, CParser, _Resolver):
        """Twenty times as fast. Composes in Python, because deep nesting overflows the C stack."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            _Resolver.__init__(self)
