from __future__ import annotations

import socket

import pytest

from exporter.errors import StartUpError
from exporter.web.server import bind, parse_address, url_of

IPV6 = socket.has_ipv6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":10049", ("", 10049)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:9100", ("::1", 9100)),
        ("[::]:9100", ("::", 9100)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_addresses_as_go_writes_them(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "10049", "::1:9100", "host", "host:", "h:99999", "h:1:2"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address like :10049"):
        parse_address(text)


def test_a_port_in_use_is_one_clear_line_and_leaves_no_socket_open() -> None:
    (first,) = bind(["127.0.0.1:0"])
    with first:
        port = first.getsockname()[1]
        with pytest.raises(StartUpError) as error:
            bind(["127.0.0.1:0", f"127.0.0.1:{port}"])
        assert str(error.value) == (
            f"cannot listen on 127.0.0.1:{port}: the port is in use; stop what listens there, or"
            " choose another"
        )


def test_an_address_of_another_machine() -> None:
    with pytest.raises(StartUpError, match="this machine has no such address"):
        bind(["192.0.2.1:0"])  # TEST-NET-1 of RFC 5737


def test_several_addresses_of_both_families() -> None:
    addresses = ["127.0.0.1:0", "[::1]:0"] if IPV6 else ["127.0.0.1:0", "127.0.0.1:0"]
    sockets = bind(addresses)
    urls = [url_of(one) for one in sockets]
    for one in sockets:
        one.close()
    assert urls[0].startswith("http://127.0.0.1:")
    assert urls[1].startswith("http://[::1]:" if IPV6 else "http://127.0.0.1:")


def test_no_answer_waits_for_an_acknowledgement() -> None:
    """Which would be 40 ms for each scrape over a connection that is kept."""
    (listener,) = bind(["127.0.0.1:0"])
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
