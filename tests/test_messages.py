"""The messages in the tables of the documentation are those of the program."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.markdown import ROOT, files

PAGES = ("troubleshooting.md", "network.md", "web.md", "usage.md")
FROM_OPENSSL = {"certificate has expired", "certificate is not yet valid"}
VARIABLES = re.compile(r"the API(?= \()|the proxy in HTTPS_PROXY|not seen|407|403")
"""What the program puts into messages; the documentation shows an example."""


@cache
def templates() -> list[str]:
    """Return every text in the program, with ``…`` for each value in it."""
    return [
        _template(node)
        for file in files("*.py")
        if file.is_relative_to(ROOT / "exporter")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    ]


def _template(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
        return value if isinstance(value, str) else ""
    return "".join(
        _template(each) if isinstance(each, ast.Constant) else "…" for each in node.values
    )


def messages(page: str) -> list[str]:
    """Return the messages in the first columns of the tables of ``page``."""
    text = (ROOT / "docs" / page).read_text()
    tables = re.findall(r"^\| (?:message|messages) .*\n\|-.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()]
    return [each for row in rows for each in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def is_in_the_program(message: str) -> bool:
    fragment = re.sub(r"…(?:[ :]*…)*$", "", VARIABLES.sub("…", message)).strip()
    return any(fragment in template for template in templates())


@pytest.mark.parametrize("page", PAGES)
def test_the_program_has_the_messages_of_the_page(page: str) -> None:
    shown = messages(page)
    assert len(shown) > 8
    assert [
        each for each in shown if each not in FROM_OPENSSL and not is_in_the_program(each)
    ] == []


def test_a_message_that_the_program_lacks_is_noticed() -> None:
    assert not is_in_the_program("the moon is not accepted")
    assert is_in_the_program("the API key or its secret is not accepted")
    assert is_in_the_program("the proxy in HTTPS_PROXY refused the connection: 407")
    assert not is_in_the_program("the proxy in HTTPS_PROXY accepted the connection: 407")
