"""Checks passwords against bcrypt hashes, one at a time in a thread."""

from __future__ import annotations

import asyncio
import enum
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

import bcrypt

from exporter.web.fair_queue import FairQueue
from exporter.web.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from exporter.web.basic_auth import Credentials

_MAX_WAITING, _MAX_WAITING_PER_CLIENT = 64, 8
"""Numbers of passwords. At bcrypt's cost of 10, eight take half a second."""
_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_DEFAULT_COST = 10
_IPV6_NETWORK = 64  # bits; a client usually has all addresses of such a network


class Verdict(enum.Enum):
    """The result of a check."""

    RIGHT = enum.auto()
    WRONG = enum.auto()
    NOT_CHECKED = enum.auto()
    """Too many passwords are waiting, or the client has disconnected."""


@dataclass(eq=False, repr=False)  # it has hashes
class _Check:
    """A password that waits for its check, and the requests that wait for the result."""

    users: Mapping[str, str]
    credentials: Credentials
    digest: bytes
    client: str
    result: asyncio.Future[Verdict] = field(default_factory=asyncio.Future)
    requests: int = 0


class Passwords:
    """Remembers the latest right password of each user as a keyed digest.

    The digest includes the user's hash, so a changed hash invalidates it and other changes of the
    configuration do not. Wrong passwords are never remembered, so they displace nothing.
    ``compare``: returns whether a password has a bcrypt hash; called in the default executor.
    ``max_requests``: the number of requests that may wait. The default of half of the connections
    leaves enough for scrapes while clients send one wrong password over and over.
    """

    def __init__(
        self,
        *,
        compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw,
        max_requests: int = Limits().connections // 2,
    ) -> None:
        self._compare = compare
        self._max_requests = max_requests
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        """Digests by user."""
        self._checks: dict[bytes, _Check] = {}
        """The waiting checks and the one in progress, by digest. Equal requests share one."""
        self._requests = 0
        self._queue: FairQueue[_Check] = FairQueue(
            total=_MAX_WAITING, per_group=_MAX_WAITING_PER_CLIENT
        )
        self._worker: asyncio.Task[None] | None = None

    def remembers(self, users: Mapping[str, str], credentials: Credentials) -> bool:
        """Return whether this password was right for the hash of the user in ``users``."""
        user, password = credentials
        # Always a digest and a comparison: a quicker refusal would tell that no such user exists.
        digest = self._digest(user, users.get(user, ""), password)
        return hmac.compare_digest(self._right.get(user, b""), digest) and user in users

    async def verify(
        self,
        users: Mapping[str, str],
        credentials: Credentials,
        *,
        client: str,
        disconnected: Callable[[], Coroutine[None, None, None]],
    ) -> Verdict:
        """Check a password with bcrypt.

        ``users``: bcrypt hashes by user name. ``client``: an IP address, or empty if it is unknown;
        addresses take turns. ``disconnected``: returns when the client has disconnected.

        Takes as long for an unknown user as for a wrong password of any user.
        """
        if self._requests >= self._max_requests:
            return Verdict.NOT_CHECKED
        user, password = credentials
        digest = self._digest(user, users.get(user, ""), password)
        check = self._checks.get(digest)
        if check is None:
            check = _Check(users, credentials, digest, _network(client))
            self._enqueue(check)
        if not check.result.done():
            await self._wait(check, disconnected)
        return check.result.result() if check.result.done() else Verdict.NOT_CHECKED

    def _digest(self, user: str, hashed: str, password: bytes) -> bytes:
        parts = (user.encode(), hashed.encode(), password)
        data = b"".join([b"%d:%b" % (len(part), part) for part in parts])
        return hashlib.blake2b(data, key=self._key, digest_size=32).digest()

    def _enqueue(self, check: _Check) -> None:
        self._checks[check.digest] = check
        displaced = self._queue.put(check.client, check)
        if displaced is not None:
            del self._checks[displaced.digest]
            displaced.result.set_result(Verdict.NOT_CHECKED)
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())

    async def _wait(
        self, check: _Check, disconnected: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        """Wait for the result, or until the client has disconnected."""
        gone = asyncio.create_task(disconnected())
        check.requests += 1
        self._requests += 1
        try:
            await asyncio.wait((check.result, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            check.requests -= 1
            self._requests -= 1
            if not check.requests and self._queue.discard(check.client, check):
                del self._checks[check.digest]

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                check = self._queue.pop()
                try:
                    right = await loop.run_in_executor(
                        None, _is_right, check.users, check.credentials, self._compare, self._key
                    )
                except Exception as error:  # noqa: BLE001 # raised again in the requests
                    check.result.set_exception(error)
                else:
                    if right:
                        self._remember(check)
                    check.result.set_result(Verdict.RIGHT if right else Verdict.WRONG)
                finally:
                    del self._checks[check.digest]
        finally:
            self._worker = None

    def _remember(self, check: _Check) -> None:
        self._right[check.credentials.user] = check.digest
        for removed in self._right.keys() - check.users.keys():
            del self._right[removed]


def _is_right(
    users: Mapping[str, str],
    credentials: Credentials,
    compare: Callable[[bytes, bytes], bool],
    key: bytes,
) -> bool:
    """Compare a password. A wrong one takes as much work as the highest cost in ``users``.

    Each cost takes twice as long as the one below it. So comparisons at the costs ``n`` to
    ``highest - 1`` take as long as the difference between one at ``highest`` and one at ``n``.

    Several comparisons take a little longer than one, so an unknown user has the cost of some
    existing one, always of the same.
    """
    user, password = credentials
    stored = users.get(user, "")
    costs = sorted(cost for each in users.values() if (cost := _cost(each)) is not None)
    cost, exists = _cost(stored), True
    if cost is None:
        costs = costs or [_DEFAULT_COST]
        cost, exists = costs[_number(user, key) % len(costs)], False
    fake = _fake_hash(cost)
    if compare(password, stored.encode() if exists else fake) and exists:
        return True
    for each in range(cost, costs[-1]):
        compare(password, _fake_hash(each))
    return False


def _cost(hashed: str) -> int | None:
    """Return the cost of a bcrypt hash; None if it is not one."""
    found = _HASH.fullmatch(hashed)
    return int(found[1]) if found else None


def _number(user: str, key: bytes) -> int:
    """Return a number that always belongs to ``user``, and that nobody without ``key`` knows."""
    return int.from_bytes(hashlib.blake2b(user.encode(), key=key, digest_size=8).digest(), "big")


def _fake_hash(cost: int) -> bytes:
    """Return a hash with a random salt and no known password."""
    return bcrypt.gensalt(cost) + b"." * 31


def _network(client: str) -> str:
    """Return the addresses that one client is likely to have: its IPv4 address or IPv6 network."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), _IPV6_NETWORK), strict=False))
    return client
