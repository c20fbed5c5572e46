from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import StartUpError
from exporter.web.sockets import bind, parse_address, url_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration

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
def test_addresses_in_the_notation_of_go(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "10049", "::1:9100", "host", "host:", "h:99999", "h:1:2"])
def test_invalid_addresses_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address like :10049"):
        parse_address(text)


def test_a_port_in_use_is_one_error_line_and_leaves_no_socket_open() -> None:
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


def resolving_to(*hosts: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a resolver that knows one name, with several addresses, as /etc/hosts may have it."""

    def getaddrinfo(_host: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        return [found for each in hosts for found in REAL(each, port, **options)]

    return getaddrinfo


REAL = socket.getaddrinfo


@pytest.mark.skipif(not IPV6, reason="needs IPv6")
def test_a_name_binds_all_of_its_addresses_on_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("::1", "127.0.0.1", "::1"))
    sockets = bind(["localhost:0"])
    names = [each.getsockname() for each in sockets]
    for each in sockets:
        each.close()
    port = names[0][1]
    assert [name[:2] for name in names] == [("::1", port), ("127.0.0.1", port)]
    assert port != 0


def test_addresses_that_the_machine_does_not_have_are_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("192.0.2.1", "127.0.0.1"))
    (only,) = bind(["localhost:0"])
    with only:
        assert only.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_on_one_address_of_a_name_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("127.0.0.2", "127.0.0.1"))
    taken = socket.create_server(("127.0.0.1", 0))
    with taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartUpError, match=f"localhost:{port}: the port is in use"):
            bind([f"localhost:{port}"])
        with socket.create_server(("127.0.0.2", port)):
            """The other address was given back."""


def test_listening_on_every_address_takes_one_socket_and_is_shown_as_localhost() -> None:
    (listener,) = bind([":0"])
    with listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://localhost:{port}"
        with socket.create_connection(("127.0.0.1", port)):
            """It listens."""


@pytest.mark.parametrize(("taken", "found"), [(9, True), (10, False)])
def test_a_port_that_is_free_on_every_address_is_tried_for_ten_times(
    monkeypatch: pytest.MonkeyPatch, taken: int, *, found: bool
) -> None:
    """The system chooses a port for the first address, and it may be in use on the second."""
    ports: list[int] = []

    def create_server(address: tuple[str, int], **options: Any) -> socket.socket:
        if address[0] == "127.0.0.2":
            ports.append(address[1])
            if len(ports) <= taken:
                raise OSError(errno.EADDRINUSE, "in use")
        return create(address, **options)

    create = socket.create_server
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("127.0.0.1", "127.0.0.2"))
    monkeypatch.setattr(socket, "create_server", create_server)
    if found:
        sockets = bind(["localhost:0"])
        assert [each.getsockname() for each in sockets] == [
            ("127.0.0.1", ports[-1]),
            ("127.0.0.2", ports[-1]),
        ]
        for each in sockets:
            each.close()
    else:
        with pytest.raises(StartUpError, match="found no port that is free on every address"):
            bind(["localhost:0"])
    assert len(ports) == 10
    assert all(ports)
