"""Who can reach the exporter, by the addresses that its sockets really have."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.cli.exposure import check_exposure, is_local, require_protection, warn_if_exposed
from exporter.cli.serving import WebOptions
from exporter.config.web_config import WebConfig
from exporter.errors import StartUpError
from exporter.web.settings import WebConfigFile
from tests.web.users import hashed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Listener(socket.socket):
    """A socket that says that it listens on ``host``, so that the tests bind to no such address."""

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__(family)
        self._address = (host, 10049, 0, 0) if family == socket.AF_INET6 else (host, 10049)

    def getsockname(self) -> object:
        return self._address


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listeners(stack: ExitStack, *hosts: str) -> list[socket.socket]:
    return [stack.enter_context(closing(Listener(host))) for host in hosts]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),  # noqa: S104 # not bound
        ("::", False),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_only_loopback_addresses_are_local(stack: ExitStack, host: str, *, expected: bool) -> None:
    (one,) = listeners(stack, host)
    assert is_local(one) == expected


def test_the_inventory_needs_protection_on_every_address(stack: ExitStack) -> None:
    require_protection(listeners(stack, "127.0.0.1", "::1"))
    with pytest.raises(StartUpError) as refused:
        # What localhost may resolve to on a machine with a strange hosts file.
        require_protection(listeners(stack, "127.0.0.1", "192.0.2.1", "::"))
    assert str(refused.value) == (
        "--web.enable-inventory would show the API keys to everyone who can reach"
        " 192.0.2.1:10049 and port 10049 of every address. Configure basic_auth_users, or"
        " client_auth_type RequireAndVerifyClientCert, in --web.config.file, or listen only on a"
        " loopback address, such as 127.0.0.1:10049"
    )


@pytest.mark.parametrize("lifecycle", [True, False])
def test_one_warning_tells_what_is_exposed(stack: ExitStack, *, lifecycle: bool) -> None:
    with capture_logs() as logs:
        warn_if_exposed(listeners(stack, "127.0.0.1", "::1"), lifecycle=lifecycle)
        assert logs == []
        warn_if_exposed(listeners(stack, "127.0.0.1", "::", "2001:db8::1"), lifecycle=lifecycle)
    (warning,) = logs
    assert warning["log_level"] == "warning"
    assert warning["addresses"] == "port 10049 of every address, [2001:db8::1]:10049"
    assert "can read the metrics and the status page" in warning["event"]
    assert ("reload the configuration" in warning["event"]) == lifecycle
    assert "users or client certificates in --web.config.file" in warning["event"]


def test_a_warning_tells_that_passwords_are_not_encrypted(stack: ExitStack) -> None:
    config = WebConfig(users={"prometheus": hashed("password")})
    with capture_logs() as logs:
        for host in ("127.0.0.1", "192.0.2.1"):
            check_exposure(listeners(stack, host), config, inventory=True, lifecycle=False)
    (warning,) = logs
    assert warning["addresses"] == "192.0.2.1:10049"
    assert warning["event"].startswith("passwords of users are sent without encryption")


def test_users_that_may_be_removed_again_do_not_replace_the_check_of_the_host(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(f"basic_auth_users: {{prometheus: {hashed('password')}}}\n")
    # The flags were judged before the file had users.
    removable = WebOptions(inventory=True, config_file=WebConfigFile(path))
    assert not removable.always_authenticates
    required = WebOptions(config_file=WebConfigFile(path, require_authentication=True))
    assert required.always_authenticates
