"""README.md has absolute links on a package index."""

from __future__ import annotations

import pytest

from hatch_build import with_absolute_links


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](docs/web.md)", "[a](https://p.example/blob/v1.2.3/docs/web.md)"),
        ("[a](docs/policy.md#teams)", "[a](https://p.example/blob/v1.2.3/docs/policy.md#teams)"),
        ("[`a`](./docs/web.md)", "[`a`](https://p.example/blob/v1.2.3/docs/web.md)"),
        ('[a](docs/web.md "A")', '[a](https://p.example/blob/v1.2.3/docs/web.md "A")'),
        ("[a](#run-it)", "[a](https://p.example/blob/v1.2.3/README.md#run-it)"),
        ("[a]: docs/web.md", "[a]: https://p.example/blob/v1.2.3/docs/web.md"),
        ("![a](docs/a.png)", "![a](https://p.example/raw/v1.2.3/docs/a.png)"),
        (
            "[![a](docs/a.png)](docs/web.md)",
            "[![a](https://p.example/raw/v1.2.3/docs/a.png)](https://p.example/blob/v1.2.3/docs/web.md)",
        ),
        ('<img src="docs/a.svg">', '<img src="https://p.example/raw/v1.2.3/docs/a.svg">'),
        ('<a href="LICENSE">', '<a href="https://p.example/blob/v1.2.3/LICENSE">'),
    ],
)
def test_a_relative_link_leads_to_the_file_of_the_release(link: str, expected: str) -> None:
    assert with_absolute_links(link, "https://p.example", "1.2.3") == expected


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://b.example/c)",
        "[a](mailto:b@c.example)",
        "[a](//b.example/c)",
        '<a href="http://b.example">',
        "`[a](docs/web.md)`",
        "```markdown\n[a](docs/web.md)\n```",
        "1. A list:\n\n   ```markdown\n   [a](docs/web.md)\n   ```",
    ],
)
def test_other_links_and_code_stay(text: str) -> None:
    assert with_absolute_links(text, "https://p.example", "1.2.3") == text
