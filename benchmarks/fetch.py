"""The yardstick of a refresh: a bare httpx loop over the same pages.

``python -m benchmarks.fetch URL`` fetches every page of the API keys and prints the wall and CPU
seconds as JSON. It drops the bodies; with ``--parse`` it parses them first.
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

SECRET = "made-up-secret-of-the-benchmark"  # noqa: S105 # accepted by the simulator only
PAGE = 100
"""Keys per page."""
_PATH = "/iam/v2/api-keys"
_TOKEN = re.compile(rb'"next":\s*"[^"]*page_token=([^"&]+)')


async def walk(client: httpx.AsyncClient, *, parse: bool = False) -> int:
    """Fetch every page of the API keys. Return the number of requests."""
    requests, params = 0, {"page_size": str(PAGE)}
    while True:
        response = await client.get(_PATH, params=params)
        response.raise_for_status()
        requests += 1
        if parse:
            json.loads(response.content)
        following = _TOKEN.search(response.content)
        if following is None:
            return requests
        params["page_token"] = unquote(following[1].decode())


async def fetch(url: str, *, parse: bool) -> dict[str, float]:
    """Return the wall and CPU seconds of one walk over an open connection, as the exporter's."""
    async with httpx.AsyncClient(base_url=url, auth=("KEY0", SECRET), trust_env=False) as client:
        (await client.get(_PATH, params={"page_size": "1"})).raise_for_status()
        wall, cpu = time.perf_counter(), time.process_time()
        await walk(client, parse=parse)
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def main() -> None:
    """Walk once and print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--parse", action="store_true")
    print(json.dumps(asyncio.run(fetch(**vars(parser.parse_args())))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the parent process reports it
        main()
