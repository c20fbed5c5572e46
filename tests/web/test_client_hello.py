"""Clients cannot make the server compute in large finite fields."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.web.client_hello import ClientHello, MalformedError
from tests.web.sockets import answers, hello, run, serving
from tests.web.tls import ServedTls, client_hello, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

P256, X25519 = 23, 29
FFDHE_2048, FFDHE_8192 = 256, 260
KEY_SIZES = {P256: 65, X25519: 32, FFDHE_2048: 256, FFDHE_8192: 1024}
POST_QUANTUM = 4588
"""X25519MLKEM768."""


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, data)


def number(group: int) -> bytes:
    return group.to_bytes(2, "big")


def message(shares: Sequence[int], supported: Sequence[int]) -> bytes:
    """Return the ``ClientHello`` of a client of TLS 1.3 with keys in the groups ``shares``."""
    keys = b"".join(
        number(each) + vector(2, b"\1" + os.urandom(KEY_SIZES[each] - 1)) for each in shares
    )
    extensions = b"".join(
        [
            extension(43, vector(1, b"\3\4")),  # versions
            extension(13, vector(2, b"\4\3\x08\4")),  # signatures
            extension(10, vector(2, b"".join(map(number, supported)))),
            extension(51, vector(2, keys)),
        ]
    )
    body = b"".join(
        [
            b"\3\3" + os.urandom(32),
            vector(1, os.urandom(32)),
            vector(2, b"\x13\1"),  # cipher suites
            vector(1, b"\0"),
            vector(2, extensions),
        ]
    )
    return b"\1" + vector(3, body)


def record(data: bytes) -> bytes:
    return b"\x16\3\1" + vector(2, data)


def parsed(data: bytes) -> ClientHello:
    parsing = ClientHello()
    assert parsing.is_complete_with(data)
    return parsing


@pytest.mark.parametrize(
    ("shares", "supported"),
    [
        ([FFDHE_8192], [FFDHE_8192]),
        ([FFDHE_8192], [FFDHE_8192, X25519]),
        ([FFDHE_8192, X25519], [FFDHE_8192, X25519]),
        ([FFDHE_2048], [FFDHE_2048, P256]),
        ([], [FFDHE_8192]),
        ([], [POST_QUANTUM, FFDHE_8192]),
    ],
)
@pytest.mark.integration
def test_a_key_in_a_finite_field_is_refused_before_anything_is_computed(
    shares: list[int], supported: list[int]
) -> None:
    async def main() -> list[Any]:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            client = await server.tcp_client()
            with capture_logs() as logs:
                await client.send(record(message(shares, supported)))
                assert await client.rest() == bytes([21, 3, 3, 0, 2, 2, 40])  # an alert
            assert tls.failures == 1
            assert await answers(await server.client())
        return logs

    (logged,) = run(main())
    assert logged["cause"] == "the client and this server have no curve in common"


@pytest.mark.parametrize(
    ("shares", "supported"),
    [
        ([], [P256]),
        ([], [FFDHE_8192, P256]),
        ([X25519], [POST_QUANTUM, X25519, P256, FFDHE_2048]),
    ],
)
@pytest.mark.integration
def test_a_client_that_also_supports_finite_fields_is_answered_with_a_curve(
    shares: list[int], supported: list[int]
) -> None:
    async def main() -> bytes:
        async with serving(hello, tls=ServedTls(settings())) as server:
            client = await server.tcp_client()
            await client.send(record(message(shares, supported)))
            return await client.receive()

    answer = run(main())
    assert (answer[0], answer[5]) == (0x16, 2)  # ServerHello, or HelloRetryRequest


def test_a_message_may_be_split_anywhere_and_into_records() -> None:
    whole = client_hello()
    for size in (1, 2, 7, len(whole) - 1):
        parsing = ClientHello()
        parts = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert [parsing.is_complete_with(each) for each in parts[:-1]] == [False] * (len(parts) - 1)
        assert parsing.is_complete_with(parts[-1])
        assert not parsing.needs_finite_field()
    sent = message([FFDHE_8192], [FFDHE_8192])
    assert parsed(b"".join(record(bytes([each])) for each in sent)).needs_finite_field()
    assert parsed(record(sent) + b"more").needs_finite_field()


def test_a_message_without_extensions_is_complete() -> None:
    body = b"\3\3" + bytes(32) + vector(1, b"") + vector(2, b"\xc0\x2b") + vector(1, b"\0")
    assert not parsed(record(b"\1" + vector(3, body))).needs_finite_field()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\3\1\xff\xff",
        record(b"\2" + vector(3, bytes(100))),
        record(b"\1" + vector(3, bytes(100))[:50]) + b"\x15\3\1\0\2\1\0",
        record(b"\1" + vector(3, b"\3\3" + bytes(32) + b"\xff")),
        record(b"") * 4000,
        record(b"\1\1\0\0" + bytes(10_000)) * 2,
    ],
)
def test_a_malformed_or_large_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parsed(data).needs_finite_field()


@given(st.binary(max_size=200), st.integers(0, 300), st.binary(max_size=20))
def test_any_bytes_are_a_message_or_malformed(data: bytes, at: int, changed: bytes) -> None:
    valid = message([X25519], [X25519, P256])
    body = valid[4:at] + changed + valid[at:]
    for sent in (data, record(data), record(b"\1" + vector(3, body)), b"\x16" + data):
        parsing = ClientHello()
        with contextlib.suppress(MalformedError):
            if parsing.is_complete_with(sent):
                parsing.needs_finite_field()
