"""Every link and every citation of a page resolves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.markdown import ROOT, anchors, files, relative_links

if TYPE_CHECKING:
    from pathlib import Path

PAGES = files("*.md")
CITATION = re.compile(r"\bdocs/[\w./-]+\.md(?:#[\w-]+)?")
API_SECTIONS = [
    "Listing API keys",
    "Paging",
    "API key fields",
    "Owner kinds",
    "Resource kinds",
    "CRNs",
    "Errors",
    "Rate limits",
    "Who sees which keys",
    "Names",
    "Quotas",
    "Authentication",
    "Bearer tokens",
    "Metrics API",
    "Official clients",
    "Unverified",
]


def problem_of(target: str, *, base: Path) -> str | None:
    """Return why ``target`` does not resolve; None if it does. ``base``: a file or a folder."""
    path, _, anchor = target.partition("#")
    folder = base if base.is_dir() else base.parent
    file = folder / path if path else base
    if not file.exists():
        return f"{target}: no such file"
    if anchor and anchor not in anchors(file.read_text()):
        return f"{target}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_resolve(page: Path) -> None:
    found = [problem_of(each, base=page) for each in relative_links(page.read_text())]
    assert [each for each in found if each] == []


def test_the_citations_in_python_files_resolve() -> None:
    cited = {
        (str(file.relative_to(ROOT)), citation)
        for file in files("*.py")
        for citation in CITATION.findall(file.read_text())
    }
    assert len(cited) > 5
    problems = [(file, problem_of(each, base=ROOT)) for file, each in sorted(cited)]
    assert [(file, each) for file, each in problems if each] == []


def test_no_file_cites_a_document_outside_the_repository() -> None:
    citation = re.compile(r"\b(facts|design)\s+(#\s*)?\u00a7")
    cited = [
        str(file.relative_to(ROOT))
        for file in files("*")
        if citation.search(file.read_text(errors="replace"))
    ]
    assert cited == []


def test_the_api_page_has_the_sections_that_are_cited() -> None:
    page = (ROOT / "docs" / "confluent-cloud-api.md").read_text()
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == API_SECTIONS


def test_the_index_has_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    links = relative_links(index.read_text())
    listed = {(index.parent / each.partition("#")[0]).resolve() for each in links}
    pages = {each for each in PAGES if each.parent == index.parent and each != index}
    assert pages <= listed
    assert ROOT / "docs" / "runbooks" / "README.md" in listed


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("metrics.md", None),
        ("metrics.md#formats", None),
        ("metrics.md#absent", "metrics.md#absent: no such heading"),
        ("absent.md", "absent.md: no such file"),
    ],
)
def test_a_dead_link_is_reported(target: str, problem: str | None) -> None:
    assert problem_of(target, base=ROOT / "docs") == problem


def test_anchors_are_those_of_github() -> None:
    text = "# A `b_c`: d-e?\n## Twice\n## Twice\n```sh\n# a comment\n```\n## [Link](x.md) & more\n"
    assert anchors(text) == {"a-b_c-d-e", "twice", "twice-1", "link--more"}


def test_links_are_found_outside_of_code() -> None:
    text = "[a](b.md#c) `[d](e.md)` [f](https://g)\n\n```\n[h](i.md)\n```\n\n[j]: k.md\n"
    assert relative_links(text) == ["b.md#c", "k.md"]
