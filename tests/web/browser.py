"""A client of the exporter's web application, in process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from exporter.web import Pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness import Harness


@asynccontextmanager
async def browser(
    harness: Harness, *, base_url: str = "http://exporter", **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client; ``options``: fields of :class:`~exporter.web.Pages`."""
    app = harness.exporter.web(Pages(**options))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


async def page_of(harness: Harness) -> str:
    """Return the status page as it is now."""
    async with browser(harness) as client:
        return (await client.get("/")).text
