"""The yardstick of a refresh: a bare httpx loop over the same pages.

``python -m benchmarks.fetch URL --json`` prints wall and CPU seconds and the number of requests,
as JSON. Without ``--json`` the bodies are dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import time
from urllib.parse import unquote

import httpx

from benchmarks.upstream import SECRET

_TOKEN = re.compile(rb'"next":\s*"[^"]*page_token=([^"&]+)')
_PATH = "/iam/v2/api-keys"


async def fetch(client: httpx.AsyncClient, *, loads: bool) -> int:
    """Walk the listing of the keys; return how many requests that took."""
    requests, params = 0, {"page_size": "100"}
    while True:
        response = await client.get(_PATH, params=params)
        response.raise_for_status()
        requests += 1
        if loads:
            json.loads(response.content)
        found = _TOKEN.search(response.content)
        if found is None:
            return requests
        params["page_token"] = unquote(found[1].decode())


async def measured(url: str, *, loads: bool) -> dict[str, float]:
    """Return what one walk took, without the first request: an exporter at work is connected."""
    async with httpx.AsyncClient(base_url=url, auth=("KEY0", SECRET), trust_env=False) as client:
        await client.get(_PATH, params={"page_size": "100"})
        wall, cpu = time.perf_counter(), time.process_time()
        requests = await fetch(client, loads=loads)
        return {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "requests": requests,
        }


def main() -> None:
    """Walk once and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measured(options.url, loads=options.json))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # whoever started it has it, too
        main()
