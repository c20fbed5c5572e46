"""Nothing but the two probes is reachable without a user."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import virtual_time
from tests.web.sockets import Client, run, serving
from tests.web.users import ALICE, Door, authorization

if TYPE_CHECKING:
    from starlette.types import Message

PROBES = ("/-/healthy", "/-/ready")
METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "TRACE", "CONNECT", "get", "X"]
)
PATHS = st.one_of(
    st.text(),
    st.sampled_from(PROBES),
    st.tuples(st.sampled_from(PROBES), st.text(max_size=3)).map("".join),
    st.tuples(st.text(max_size=3), st.sampled_from(PROBES)).map("".join),
    st.lists(st.sampled_from(["/", "-", ".", "healthy", "ready", "%2f", ";", "\0"])).map("".join),
)


def asked(door: Door, method: str, path: str, *headers: tuple[bytes, bytes]) -> int:
    """Return the status of the response to a request, in process."""
    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    sent: list[Message] = []

    async def receive() -> Any:
        await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        await door.app(scope, receive, send)

    virtual_time.run(answer())
    return int(sent[0]["status"])


@given(METHODS, PATHS)
def test_the_application_is_reached_only_by_users_and_on_the_two_paths(
    method: str, path: str
) -> None:
    door = Door()
    status = asked(door, method, path)
    if path in PROBES:
        assert (status, door.reached) == (200, [(method, path)])
    else:
        assert (status, door.reached) == (401, [])


@given(PATHS, st.lists(st.binary(max_size=60), min_size=1, max_size=2))
def test_malformed_credentials_reach_nothing(path: str, values: list[bytes]) -> None:
    door = Door()
    status = asked(door, "GET", path, *((b"authorization", value) for value in values))
    assert status == (200 if path in PROBES else 401)
    assert door.compare.calls == 0
    assert door.failures == (path not in PROBES)


@pytest.mark.integration
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/metrics",
        "//-/healthy",
        "/-//healthy",
        "/-/healthy/",
        "/-/Healthy",
        "/-/healthy;",
        "/-/healthy%20",
        "/-/healthy%00",
        "/-/healthy%3f",
        "/-/../-/healthy",
        "/metrics/../-/healthy",
        "/./-/ready",
        "/%2e/-/ready",
        "/-/healthy%2f..%2f..%2fmetrics",
        "/-/ready%0a",
        "-/ready",
        "?/-/ready",
        "*",
        "http://exporter/-/healthy",
        "http://exporter/metrics",
        "http://exporter",
        "//exporter/-/healthy",
        "exporter:10049",
        "/metrics?path=/-/healthy",
        "/metrics#/-/healthy",
        "%2f-%2fhealthy%2f",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_other_targets_need_a_user(method: str, target: str) -> None:
    async def main() -> None:
        door = Door()
        async with serving(door.app) as server:
            client = await server.client()
            assert (await client.get(target, method))[0] == 401
            assert door.reached == []
            allowed = authorization(*ALICE)
            assert (await get(client, target, method, allowed))[0] == 200
            assert door.reached == [(method, unquote(target.partition("?")[0]))]

    run(main())


async def get(
    client: Client, target: str, method: str, allowed: str
) -> tuple[int, dict[str, str], bytes]:
    lines = [f"{method} {target} HTTP/1.1", "Host: exporter", f"Authorization: {allowed}", "", ""]
    await client.send("\r\n".join(lines).encode())
    return await client.response(method)


@pytest.mark.integration
def test_connect_needs_a_user() -> None:
    async def main() -> None:
        door = Door()
        async with serving(door.app) as server:
            assert (await (await server.client()).get("exporter:443", "CONNECT"))[0] == 401
        assert door.reached == []

    run(main())


@pytest.mark.integration
@pytest.mark.parametrize("target", [*PROBES, "/-/healthy?a=b", "/%2d/ready", "%2f-%2fhealthy"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_the_probes_need_none(method: str, target: str) -> None:
    async def main() -> None:
        door = Door()
        async with serving(door.app) as server:
            assert (await (await server.client()).get(target, method))[0] == 200
        assert door.reached == [(method, unquote(target.partition("?")[0]))]
        assert door.failures == 0

    run(main())


@pytest.mark.integration
def test_a_probe_with_wrong_credentials_is_answered_and_nothing_is_hashed() -> None:
    async def main() -> None:
        door = Door()
        async with serving(door.app) as server:
            client = await server.client()
            wrong = authorization("alice", "wrong")
            assert (await get(client, "/-/ready", "GET", wrong))[0] == 200
        assert (door.failures, door.compare.calls) == (0, 0)

    run(main())
