"""Checks of passwords: what is remembered, what is hashed, who waits for whom."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from exporter.web.basic_auth import Credentials
from exporter.web.passwords import Passwords, Verdict
from tests.web.sockets import run
from tests.web.users import ALICE, BOB, USERS, Counting, hashed

RIGHT, WRONG, NOT_CHECKED = Verdict.RIGHT, Verdict.WRONG, Verdict.NOT_CHECKED


def credentials(user: str, password: str) -> Credentials:
    return Credentials(user, password.encode())


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def verify(
    passwords: Passwords, users: dict[str, str], user: str, password: str, client: str = "10.0.0.1"
) -> Verdict:
    given = credentials(user, password)
    return await passwords.verify(users, given, client=client, disconnected=never)


class Held:
    """A comparison that waits until it is let through, and remembers the order."""

    def __init__(self) -> None:
        self.passwords: list[str] = []
        self.started = threading.Event()
        self._through = threading.Semaphore(0)
        self.at_once, self.most_at_once = 0, 0

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        del hashed
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.passwords.append(password.decode())
        self.started.set()
        assert self._through.acquire(timeout=20)
        self.at_once -= 1
        return False

    def let_through(self, count: int = 1000) -> None:
        self._through.release(count)


async def test_a_right_password_is_remembered_and_a_wrong_one_is_not() -> None:
    compare = Counting()
    passwords = Passwords(compare=compare)
    assert not passwords.remembers(USERS, credentials(*ALICE))
    assert await verify(passwords, USERS, *ALICE) is RIGHT
    assert passwords.remembers(USERS, credentials(*ALICE))
    assert not passwords.remembers(USERS, credentials("bob", ALICE[1]))
    assert compare.calls == 1
    for number in range(20):
        assert await verify(passwords, USERS, "alice", f"wrong {number}") is WRONG
        assert not passwords.remembers(USERS, credentials("alice", f"wrong {number}"))
        assert passwords.remembers(USERS, credentials(*ALICE))


async def test_a_changed_or_removed_hash_is_forgotten_and_others_stay() -> None:
    passwords = Passwords()
    for user in (ALICE, BOB):
        assert await verify(passwords, USERS, *user) is RIGHT
    same_password = USERS | {"alice": hashed(ALICE[1])}
    assert not passwords.remembers(same_password, credentials(*ALICE))
    assert passwords.remembers(same_password, credentials(*BOB))
    assert not passwords.remembers({"bob": USERS["bob"]}, credentials(*ALICE))
    assert not passwords.remembers({}, credentials(*BOB))


async def test_a_password_that_was_changed_back_is_right_again() -> None:
    passwords = Passwords()
    before, after = USERS, USERS | {"alice": hashed("new")}
    assert await verify(passwords, before, *ALICE) is RIGHT
    assert await verify(passwords, after, "alice", "new") is RIGHT
    assert not passwords.remembers(after, credentials(*ALICE))
    assert not passwords.remembers(before, credentials("alice", "new"))
    assert await verify(passwords, before, *ALICE) is RIGHT


async def test_the_remembered_passwords_are_those_of_existing_users() -> None:
    passwords = Passwords()
    for name in "abcdef":
        assert await verify(passwords, {name: hashed("p")}, name, "p") is RIGHT
    assert len(passwords._right) == 1  # its bound is not visible outside


async def test_the_parts_of_the_digest_cannot_be_shifted() -> None:
    # CVE-2022-46146: the key of exporter-toolkit's cache was a concatenation.
    passwords = Passwords()
    assert await verify(passwords, USERS, *ALICE) is RIGHT
    stored = USERS["alice"]
    for user, password in [
        ("alice" + stored, ALICE[1]),
        ("alice", stored + ALICE[1]),
        ("alic", "e" + ALICE[1]),
        ("", "alice" + ALICE[1]),
    ]:
        assert not passwords.remembers(USERS, credentials(user, password))
        assert not passwords.remembers({user: stored}, credentials(user, password))
    shifted = credentials("alice", stored[-1] + ALICE[1])
    assert not passwords.remembers({"alice": stored[:-1]}, shifted)


@pytest.mark.parametrize("costs", [(4, 4), (4, 7), (7, 4), (5, 6)])
async def test_unknown_users_and_wrong_passwords_take_the_same_work(costs: tuple[int, int]) -> None:
    first, second = costs
    users = {"alice": hashed("a", cost=first), "bob": hashed("b", cost=second)}
    for user in ("alice", "bob", "mallory", "", "alice" + users["alice"], "x" * 5000):
        compare = Counting()
        assert await verify(Passwords(compare=compare), users, user, "wrong") is WRONG
        work = sum(calls * 2**cost for cost, calls in compare.costs.items())
        assert work == 2 ** max(costs), user


async def test_the_comparisons_for_an_unknown_user_are_those_for_some_existing_one() -> None:
    users = {"alice": hashed("a", cost=4), "bob": hashed("b", cost=6)}
    compare = Counting()
    passwords = Passwords(compare=compare)

    async def costs(user: str) -> tuple[int, ...]:
        compare.costs.clear()
        assert await verify(passwords, users, user, "wrong") is WRONG
        return tuple(sorted(compare.costs.elements()))

    assert await costs("alice") == (4, 4, 5)
    assert await costs("bob") == (6,)
    unknown = [f"mallory{number}" for number in range(40)]
    found = [await costs(user) for user in unknown]
    assert set(found) == {(4, 4, 5), (6,)}
    assert [await costs(user) for user in unknown] == found


async def test_no_password_is_right_for_an_unknown_user() -> None:
    passwords = Passwords(compare=lambda _password, _hash: True)
    assert await verify(passwords, USERS, "mallory", "fakepassword") is WRONG
    assert not passwords.remembers(USERS, credentials("mallory", "fakepassword"))


@pytest.mark.parametrize("stored", ["", "secret", "$2b$04$short", "$2b$04$" + "!" * 53])
async def test_a_hash_that_bcrypt_rejects_admits_nobody(stored: str) -> None:
    compare = Counting()
    users = {"alice": stored, "bob": USERS["bob"]}
    assert await verify(Passwords(compare=compare), users, "alice", stored or "x") is WRONG
    assert compare.calls == 1


def test_an_error_of_the_comparison_is_raised_and_later_checks_go_through() -> None:
    def compare(password: bytes, _hash: bytes) -> bool:
        if password == b"error":
            raise OSError("an error")
        return True

    async def main() -> None:
        passwords = Passwords(compare=compare)
        with pytest.raises(OSError, match="an error"):
            await verify(passwords, USERS, "alice", "error")
        assert await verify(passwords, USERS, "alice", "right") is RIGHT

    run(main())


def test_one_password_is_checked_at_a_time_and_addresses_take_turns() -> None:
    async def main() -> None:
        compare = Held()
        passwords = Passwords(compare=compare)
        checks = [
            verify(passwords, USERS, "alice", f"{client} {number}", client=f"10.0.0.{client}")
            for client, count in [(1, 5), (2, 1), (3, 2)]
            for number in range(count)
        ]
        waiting = asyncio.gather(*checks)
        compare.let_through()
        assert await waiting == [WRONG] * 8
        assert compare.passwords == ["1 0", "2 0", "3 0", "1 1", "3 1", "1 2", "1 3", "1 4"]
        assert compare.most_at_once == 1

    run(main())


@pytest.mark.parametrize(
    "clients",
    [
        ["10.0.0.1"] * 20,
        ["::ffff:10.0.0.1"] * 10 + ["10.0.0.1"] * 10,
        [f"2001:db8::{number:x}" for number in range(20)],
        [f"fe80::{number:x}%eth0" for number in range(1, 21)],
        [""] * 20,
    ],
    ids=["ipv4", "mapped", "ipv6-network", "link-local", "unknown"],
)
def test_a_client_has_at_most_eight_waiting_passwords(clients: list[str]) -> None:
    async def main() -> None:
        compare = Held()
        passwords = Passwords(compare=compare)
        checks = [
            verify(passwords, USERS, "alice", f"{number}", client=client)
            for number, client in enumerate(clients)
        ]
        waiting = asyncio.gather(*checks, verify(passwords, USERS, *BOB, client="10.0.0.2"))
        compare.let_through()
        assert Counter(await waiting) == {WRONG: 9, NOT_CHECKED: 12}
        assert BOB[1] in compare.passwords

    run(main())


def test_other_mapped_addresses_are_other_clients() -> None:
    async def main() -> None:
        compare = Held()
        passwords = Passwords(compare=compare)
        checks = [
            verify(passwords, USERS, "alice", f"{number}", client=f"::ffff:10.0.0.{number}")
            for number in range(20)
        ]
        waiting = asyncio.gather(*checks)
        compare.let_through()
        assert await waiting == [WRONG] * 20

    run(main())


def test_sixty_four_passwords_wait_and_a_new_address_displaces_one() -> None:
    async def main() -> None:
        compare = Held()
        passwords = Passwords(compare=compare)
        checks = [
            verify(passwords, USERS, "alice", f"{client} {number}", client=f"10.0.0.{client}")
            for client in range(8)
            for number in range(8)
        ]
        waiting = asyncio.gather(*checks, verify(passwords, USERS, *BOB, client="10.0.1.1"))
        compare.let_through()
        verdicts = await waiting
        assert Counter(verdicts) == {WRONG: 64, NOT_CHECKED: 1}
        assert verdicts[7] is NOT_CHECKED  # the latest of the first client
        assert compare.passwords.index(BOB[1]) == 8  # after one of each other client

    run(main())


def test_equal_requests_share_one_check() -> None:
    async def main() -> None:
        compare = Counting()
        passwords = Passwords(compare=compare)
        right = [verify(passwords, USERS, *ALICE, client=f"10.0.0.{n}") for n in range(150)]
        assert await asyncio.gather(*right) == [RIGHT] * 150
        wrong = [verify(passwords, USERS, "alice", "x", client="10.0.0.1") for _ in range(300)]
        assert Counter(await asyncio.gather(*wrong)) == {WRONG: 256, NOT_CHECKED: 44}
        assert compare.calls == 2

    run(main())


def test_nothing_is_hashed_for_disconnected_clients() -> None:
    async def main() -> None:
        compare = Held()
        passwords = Passwords(compare=compare)
        gone = asyncio.Event()

        async def disconnected() -> None:
            await gone.wait()

        async def leaving(password: str) -> Verdict:
            given = credentials("alice", password)
            return await passwords.verify(USERS, given, client="1", disconnected=disconnected)

        first = asyncio.create_task(verify(passwords, USERS, "alice", "first"))
        await asyncio.to_thread(compare.started.wait, 20)
        shared = asyncio.create_task(verify(passwords, USERS, "alice", "shared"))
        leaving_tasks = [asyncio.create_task(leaving(each)) for each in ("shared", "gone")]
        cancelled = asyncio.create_task(verify(passwords, USERS, "alice", "cancelled"))
        for _ in range(3):
            await asyncio.sleep(0)
        gone.set()
        cancelled.cancel()
        assert await asyncio.gather(*leaving_tasks) == [NOT_CHECKED, NOT_CHECKED]
        compare.let_through()
        assert await first is WRONG
        assert await shared is WRONG
        assert compare.passwords == ["first", "shared"]

    run(main())


def test_a_right_password_is_remembered_although_its_client_has_disconnected() -> None:
    # Otherwise a client that waits less long than a check takes would never get in.
    async def main() -> None:
        compare, through = Counting(), threading.Event()

        def held(password: bytes, stored: bytes) -> bool:
            assert through.wait(20)
            return compare(password, stored)

        passwords = Passwords(compare=held)
        client = asyncio.create_task(verify(passwords, USERS, *ALICE))
        for _ in range(3):
            await asyncio.sleep(0)
        client.cancel()
        await asyncio.wait([client])
        through.set()
        assert await verify(passwords, USERS, "alice", "wrong") is WRONG  # the next in the queue
        assert passwords.remembers(USERS, credentials(*ALICE))

    run(main())
