"""A client of the exporter's web application, in process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.world import World


@asynccontextmanager
async def browser(
    world: World, *, telemetry_path: str = "/metrics"
) -> AsyncIterator[httpx.AsyncClient]:
    app = world.exporter.web(telemetry_path=telemetry_path)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        yield client


async def page_of(world: World) -> str:
    """Return the status page as it is now."""
    async with browser(world) as client:
        return (await client.get("/")).text
