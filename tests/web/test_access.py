"""Users of the web configuration, over real connections."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

import bcrypt
import pytest

from exporter import logs
from tests.logged import captured
from tests.web.sockets import run, serving
from tests.web.tls import authority, over_http_and_https, usual
from tests.web.users import ALICE, BOB, USERS, Door, authorization, hashed, visiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.sockets import Client

pytestmark = pytest.mark.integration


async def raw(client: Client, *lines: str) -> tuple[int, dict[str, str], bytes]:
    await client.send("\r\n".join([*lines, "", ""]).encode())
    return await client.response()


def get(credentials: tuple[str, str] | None = None, *, version: str = "1.1") -> bytes:
    lines = [f"GET / HTTP/{version}", "Host: exporter"]
    if credentials is not None:
        lines.append(f"Authorization: {authorization(*credentials)}")
    return "\r\n".join([*lines, "", ""]).encode()


# exporter-toolkit's TestUsers


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        (None, 401),
        (ALICE, 200),
        (BOB, 200),
        (("alice", "wrong"), 401),
        (("mallory", ALICE[1]), 401),
        (("Alice", ALICE[1]), 401),
        (("alice", BOB[1]), 401),
    ],
    ids=["none", "right", "another", "bad-password", "bad-user", "case", "password-of-another"],
)
@over_http_and_https
def test_a_user_is_needed(credentials: tuple[str, str] | None, status: int, transport: str) -> None:
    async def main() -> None:
        door = Door()
        async with visiting(door, transport) as (_, client):
            for _ in range(2):  # before and after the result is remembered
                response = await client.get("/metrics", auth=credentials)
                assert response.status_code == status
                challenge = response.headers.get("WWW-Authenticate")
                realm = 'Basic realm="confluent-api-keys-exporter", charset="UTF-8"'
                assert challenge == (realm if status == 401 else None)
        assert door.failures == (2 if status == 401 and credentials else 0)
        assert bool(door.reached) == (status == 200)

    run(main())


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], "401"),
        (["-u", ":".join(ALICE)], "200"),
        (["-u", "alice:wrong"], "401"),
        (["-u", "alice:"], "401"),
        (["-u", "alice:" + "x" * 100], "401"),
        (["--anyauth", "-u", ":".join(ALICE)], "200"),
        (["--digest", "-u", ":".join(ALICE)], "401"),
    ],
    ids=["none", "right", "wrong", "empty", "long", "challenged", "digest"],
)
@over_http_and_https
def test_curl_as_a_client(arguments: list[str], status: str, transport: str) -> None:
    if (curl := shutil.which("curl")) is None:
        pytest.skip("curl is not installed")

    async def main() -> None:
        async with serving(Door().app, tls=usual(transport)) as server:
            host, port = server.address
            ca = authority().certificate
            command = [
                curl,
                "-q",
                "-s",
                "--noproxy",
                "*",
                "--cacert",
                str(ca),
                "-w",
                "%{http_code}",
                *arguments,
            ]
            command += ["-o", "/dev/null", f"{transport}://{host}:{port}/metrics"]
            ran = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, timeout=20, check=True
            )
            assert ran.stdout.decode() == status

    run(main())


# exporter-toolkit's handler tests


@over_http_and_https
def test_150_right_and_150_wrong_logins_at_once(transport: str) -> None:
    async def main() -> None:
        async with visiting(Door(), transport) as (_, client):

            async def log_in(password: str) -> int:
                response = await client.get("/", auth=("alice", password))
                return response.status_code

            assert [await log_in("alice123"), await log_in("alice1234")] == [200, 401]
            logins = [log_in(each) for _ in range(150) for each in ("alice123", "alice1234")]
            statuses = await asyncio.gather(*logins)
            assert statuses == [200, 401] * 150

    run(main())


@over_http_and_https
def test_nobody_logs_in_with_the_password_of_unknown_users(transport: str) -> None:
    async def main() -> None:
        async with visiting(Door(), transport) as (_, client):
            for _ in range(2):
                response = await client.get("/", auth=("fakeuser", "fakepassword"))
                assert response.status_code == 401

    run(main())


@over_http_and_https
def test_a_crafted_user_name_does_not_poison_the_cache(transport: str) -> None:
    # CVE-2022-46146
    fake = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

    async def main() -> None:
        async with visiting(Door(), transport) as (_, client):
            for user, password in [
                ("alice" + USERS["alice"], "fakepassword"),
                ("alice", fake + "fakepassword"),
                ("alice", "fakepassword"),
                ("alice" + USERS["alice"], ALICE[1]),
            ]:
                response = await client.get("/", auth=(user, password))
                assert response.status_code == 401

    run(main())


# Changes of the users, and unusual requests


@over_http_and_https
def test_users_change_between_two_requests_of_a_kept_connection(transport: str) -> None:
    async def main() -> None:
        door = Door({})
        async with serving(door.app, tls=usual(transport)) as server:
            client = await server.client()

            async def status(credentials: tuple[str, str] | None) -> int:
                await client.send(get(credentials))
                return (await client.response())[0]

            assert await status(None) == 200
            door.change(users=USERS)
            assert await status(None) == 401
            assert [await status(ALICE), await status(BOB), await status(ALICE)] == [200] * 3
            calls = door.compare.calls
            door.change(users={"alice": hashed("changed"), "bob": USERS["bob"]})
            assert await status(ALICE) == 401
            assert await status(("alice", "changed")) == 200
            assert door.compare.calls == calls + 2
            assert await status(BOB) == 200  # still remembered
            assert door.compare.calls == calls + 2
            door.change(users={"bob": USERS["bob"]})
            assert await status(("alice", "changed")) == 401
            door.change(users=USERS)
            assert await status(ALICE) == 200
            assert (await client.get())[0] == 401

    run(main())


@pytest.mark.parametrize(
    "line",
    [
        "Authorization:",
        "Authorization: Basic",
        "Authorization: Basic !",
        "Authorization: Bearer token",
        f"Authorization: {authorization('alice', 'x' * 73)}",
        f"Authorization: {authorization('alice', '')}",
        f"Authorization: {authorization(ALICE[0], ALICE[1] + chr(0))}",
        f"Authorization: {authorization('alice', 'x' * 9000)}",
        f"Authorization: {authorization(*ALICE)}\r\nAuthorization: {authorization(*ALICE)}",
        f"Authorization: {authorization(*ALICE)}, {authorization(*ALICE)}",
        f"Proxy-Authorization: {authorization(*ALICE)}",
    ],
)
def test_unusable_credentials_are_refused_without_a_hash(line: str) -> None:
    async def main() -> None:
        door = Door()
        async with serving(door.app) as server:
            client = await server.client()
            assert (await raw(client, "GET / HTTP/1.1", "Host: exporter", line))[0] == 401
            await client.send(get(ALICE))
            assert (await client.response())[0] == 200
        assert door.failures == line.startswith("Authorization")
        assert door.compare.calls == 1

    run(main())


def test_http_1_0() -> None:
    async def main() -> None:
        async with serving(Door().app) as server:
            for credentials, status in [(None, b"401"), (ALICE, b"200"), (("alice", "x"), b"401")]:
                client = await server.client()
                await client.send(get(credentials, version="1.0"))
                assert (await client.rest()).split()[1] == status

    run(main())


@over_http_and_https
def test_pipelined_requests_are_answered_in_order(transport: str) -> None:
    async def main() -> None:
        async with serving(Door().app, tls=usual(transport)) as server:
            client = await server.client()
            logins = [None, ALICE, ("alice", "wrong"), BOB, None, ALICE, ("mallory", "x")]
            await client.send(b"".join(get(each) for each in logins))
            statuses = [(await client.response())[0] for _ in logins]
            assert statuses == [401, 200, 401, 200, 401, 200, 401]

    run(main())


def test_a_refused_request_with_a_body() -> None:
    async def main() -> None:
        async with serving(Door().app) as server:
            client = await server.client()
            lines = ["POST / HTTP/1.1", "Host: exporter", "Content-Length: 4"]
            await client.send("\r\n".join([*lines, "", "body"]).encode() + get(ALICE))
            assert (await client.response())[0] == 401
            assert (await client.response())[0] == 200

    run(main())


def test_nothing_is_hashed_for_clients_that_have_disconnected() -> None:
    async def main() -> None:
        through = threading.Event()

        def compare(password: bytes, stored: bytes) -> bool:
            assert through.wait(20)
            return bcrypt.checkpw(password, stored)

        door = Door(compare=compare)
        async with serving(door.app) as server:
            staying = await server.client()
            await staying.send(get(("alice", "staying")))
            await server.skip(0)
            for number in range(5):
                leaving = await server.client()
                await leaving.send(get(("alice", f"leaving {number}")))
                await server.skip(0)
                leaving.close()
            await server.skip(0)
            last = await server.client()
            await last.send(get(ALICE))
            await server.skip(0)
            through.set()
            assert (await staying.response())[0] == 401
            assert (await last.response())[0] == 200
        assert (door.compare.calls, door.failures) == (2, 1)

    run(main())


def test_a_client_that_waits_for_100_continue() -> None:
    async def main() -> None:
        async with serving(Door().app) as server:
            client = await server.client()
            lines = ["POST / HTTP/1.1", "Host: exporter", "Content-Length: 4"]
            lines += ["Expect: 100-continue", f"Authorization: {authorization('alice', 'x')}"]
            assert (await raw(client, *lines))[0] == 401

    run(main())


# Log


def test_failures_are_logged_once_a_minute_without_a_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main(written: Callable[[], str]) -> None:
        door = Door({**USERS, "ali\nce\x1b": USERS["alice"]})
        async with visiting(door) as (server, client):

            async def fail(user: str) -> None:
                response = await client.get("/", auth=(user, "wrong"))
                assert response.status_code == 401

            await client.get("/")
            assert written() == ""
            await fail("alice")
            first = written()
            assert "level=warn" in first
            assert 'msg="authentication failed" client=127.0.0.1 user=alice' in first
            for _ in range(3):
                await fail("alice")
            assert written() == ""
            await server.skip(60)
            await fail("alice123")
            second = written()
            assert "client=127.0.0.1 not_logged=3" in second
            await server.skip(60)
            await fail("ali\nce\x1b")
            third = written()
            assert r"\u001b" in third
            assert "\x1b" not in third
            assert [len(each.splitlines()) for each in (first, second, third)] == [1, 1, 1]
            for secret in ("alice123", "wrong", "YWxpY2U", "$2b$"):
                assert secret not in first + second + third

    with captured(capsys) as written:
        logs.set_up()
        run(main(written))
