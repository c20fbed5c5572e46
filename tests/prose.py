"""Reports the discouraged phrases of ``prose.txt``: ``python -m tests.prose [FILE …]``."""

from __future__ import annotations

import io
import os
import re
import sys
import tokenize
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from tests.markdown import files

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = ("*.md", "*.py", "*.yaml", "*.yml", "*.toml", "*.j2", "Makefile", "Dockerfile", ".ci/run")
_LINES = Path(__file__).with_suffix(".txt").read_text().splitlines()
_PHRASES = [
    (re.compile(rf"\b(?:{left})\b".replace(" ", r"\s+"), re.IGNORECASE), better)
    for left, better in (line.split(" -> ") for line in _LINES if not line.startswith("#"))
]


def reports(text: str, *, suffix: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the phrase and the better wording for each match in the prose of ``text``."""
    if suffix == ".py":
        text = _strings_and_comments(text)
    text = re.sub(r"^ *(```+).*?^ *\1$|`+[^`\n]+`+", _masked, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^ *#+|[\"']", lambda mark: " " * len(mark[0]), text, flags=re.MULTILINE)
    for pattern, better in _PHRASES:
        for found in pattern.finditer(text):
            yield text.count("\n", 0, found.start()) + 1, " ".join(found[0].split()), better


def _strings_and_comments(source: str) -> str:
    starts = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
    masked = list(re.sub(r"\S", "\0", source))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if tokenize.tok_name[token.type] in {"STRING", "COMMENT", "FSTRING_MIDDLE"}:
            start, end = (starts[line - 1] + column for line, column in (token.start, token.end))
            masked[start:end] = re.sub(r"\{[^{}]*\}", _masked, source[start:end])
    return "".join(masked)


def _masked(code: re.Match[str]) -> str:
    return re.sub(r"\S", "\0", code[0])  # no phrase contains it, so none reaches across code


if __name__ == "__main__":
    paths = [Path(name).resolve() for name in sys.argv[1:]] or files(*_KINDS)
    output = [
        f"{os.path.relpath(path)}:{line}: {phrase!r}: write instead: {better}\n"
        for path in paths
        if path.name != "test_prose.py" and any(map(path.match, _KINDS))
        for line, phrase, better in sorted(reports(path.read_text(), suffix=path.suffix))
    ]
    sys.stdout.writelines(output)
    sys.exit(1 if output else 0)
