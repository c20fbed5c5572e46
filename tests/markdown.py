"""The files of the repository, and the links and anchors of Markdown."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
_IGNORED = {"build", "dist", "venv", "__pycache__"}
_COVERAGE = ".coverage"  # other processes write, rename and delete such files during the tests
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


def files(*patterns: str) -> list[Path]:
    """Return the files of the repository whose names match a pattern, without ignored folders."""
    return sorted(each for each in _walk() if any(map(each.match, patterns)))


def _walk() -> Iterator[Path]:
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [
            each
            for each in subfolders
            if each not in _IGNORED and (each[0] != "." or each in {".ci", ".github"})
        ]
        for name in names:
            if not name.startswith(_COVERAGE):
                yield Path(folder, name)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of ``text``."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", _FENCE.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def code_blocks(text: str, language: str) -> list[str]:
    """Return the code blocks in ``language``, including those inside lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [dedent(code) for _, code in found]


def relative_links(text: str) -> list[str]:
    """Return the targets of the links in ``text`` that lead to a file or a heading."""
    text = re.sub(r"`[^`]*`", "", _FENCE.sub("", text))
    targets = re.findall(r"\]\(\s*<?([^)>\s]+)", text)
    targets += re.findall(r"^\[[^]]+\]:\s*(\S+)", text, re.MULTILINE)
    return [each for each in targets if not re.match(r"(https?|mailto):", each)]
