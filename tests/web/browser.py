"""A client of the exporter's web application, in process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness import Harness


@asynccontextmanager
async def browser(
    harness: Harness, *, telemetry_path: str = "/metrics"
) -> AsyncIterator[httpx.AsyncClient]:
    app = harness.exporter.web(telemetry_path=telemetry_path)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        yield client


async def page_of(harness: Harness) -> str:
    """Return the status page as it is now."""
    async with browser(harness) as client:
        return (await client.get("/")).text
