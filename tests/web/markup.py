"""Parses a page strictly, as a person with a keyboard and a screen reader meets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOID = {"br", "input", "link", "meta", "wbr"}
_ALLOWED = _VOID | {
    "a",
    "bdi",
    "body",
    "button",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "label",
    "legend",
    "li",
    "main",
    "nav",
    "p",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Return the elements within, in the order of the document."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            each
            for each in self.walk()
            if tag in {"", each.tag} and wanted.items() <= each.attributes.items()
        ]

    def walk(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    @property
    def text(self) -> str:
        parts = [each if isinstance(each, str) else each.text for each in self.children]
        return " ".join(" ".join(part for part in parts if part).split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _ALLOWED, f"<{tag}>"
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        assert not [name for name in names if name.startswith("on") or name == "style"]
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def parsed(page: str) -> Element:
    """Return the root of ``page``; fails if it is not well-formed, or has scripts."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == [parser.root]
    ids = [each.attributes["id"] for each in parser.root.walk() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in parser.root.walk():
        for name in ("for", "aria-describedby"):
            if name in each.attributes:
                assert each.attributes[name] in ids
        if (href := each.attributes.get("href", "")).startswith("#"):
            assert href[1:] in ids
    return parser.root


def focusable(root: Element) -> list[str]:
    """Return what the Tab key reaches, in its order: the text, or the name of an input."""
    assert {each.attributes.get("tabindex", "0") for each in root.walk()} == {"0"}
    return [
        each.text or each.attributes.get("name") or each.attributes.get("aria-label", "")
        for each in root.walk()
        if (each.tag in {"a", "button", "input", "summary"} or "tabindex" in each.attributes)
        and each.attributes.get("type") != "hidden"
    ]
