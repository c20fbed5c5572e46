"""Requests for ``/keys``, as from the machine of the exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.web.browser import browser
from tests.web.markup import Element, parsed

if TYPE_CHECKING:
    import httpx

    from tests.harness import Harness

LOCAL = "http://localhost:10049"


async def refreshed(harness: Harness) -> Harness:
    await harness.exporter.refresh_once()
    return harness


async def got(harness: Harness, url: str = "/keys", **options: bool) -> httpx.Response:
    async with browser(harness, base_url=LOCAL, inventory=True, **options) as client:
        return await client.get(url)


async def page(harness: Harness, url: str = "/keys") -> Element:
    response = await got(harness, url)
    assert response.status_code == 200, response.text
    return parsed(response.text)


def shown(root: Element) -> list[str]:
    """Return the ids of the keys in the rows, which are the texts of their first links."""
    return [row.all("a")[0].text for row in root.all("tr")[1:]]
