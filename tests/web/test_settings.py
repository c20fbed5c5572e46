"""A change of the web configuration is seen by the next call, and a broken one changes nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.errors import ConfigurationError
from exporter.web.settings import WebConfigFile
from tests.web.certificates import Authority
from tests.web.handshakes import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

HASH = "$2b$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzABCDE"
USERS = f"basic_auth_users: {{prometheus: {HASH}}}\n"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
CLIENTS = TLS.replace(
    "}", ", client_ca_file: clients.pem, client_auth_type: RequireAndVerifyClientCert}"
)
MISMATCH = (
    "tls_server_config.key_file: the file does not match the certificate; expected its private key"
)
HEADERS = "http_server_config: {headers: {X-Frame-Options: deny}}\n"


class Files:
    """A folder with a web configuration that is in use."""

    def __init__(self, folder: Path, text: str, *, require_authentication: bool = False) -> None:
        self.path = folder / "web.yaml"
        self.path.write_text(text)
        self.successes: list[bool] = []
        self.used = WebConfigFile(
            self.path,
            require_authentication=require_authentication,
            config_loaded=lambda *, successful: self.successes.append(successful),
        )

    async def users(self) -> list[str]:
        return list((await self.used.current()).config.users)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of two CAs, each with a server and a client."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("first", "second"):
        authority = Authority(folder, name)
        authority.server(f"{name}-server")
        authority.issue("scraper", file=f"{name}-client")
    return folder


@pytest.fixture
def folder(tmp_path: Path, certificates: Path) -> Path:
    for source, target in {
        "first-server.crt": "server.crt",
        "first-server.key": "server.key",
        "first.pem": "clients.pem",
    }.items():
        shutil.copy(certificates / source, tmp_path / target)
    return tmp_path


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, object]]]:
    with capture_logs() as entries:
        yield entries


def test_a_broken_file_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown setting"):
        Files(tmp_path, "junk: 1")


def test_a_file_without_authentication_is_refused_at_start_where_it_is_required(
    folder: Path,
) -> None:
    with pytest.raises(ConfigurationError, match="does not authenticate clients"):
        Files(folder, TLS, require_authentication=True)
    Files(folder, CLIENTS, require_authentication=True)
    Files(folder, USERS, require_authentication=True)


async def test_users_and_headers_change_at_the_next_call(
    folder: Path, logs: list[MutableMapping[str, object]]
) -> None:
    files = Files(folder, USERS)
    assert await files.users() == ["prometheus"]
    files.path.write_text(USERS.replace("prometheus", "grafana") + HEADERS)
    settings = await files.used.current()
    assert list(settings.config.users) == ["grafana"]
    assert settings.config.headers == {"X-Frame-Options": "deny"}
    assert await files.used.current() is settings
    assert files.used.settings is settings
    assert await files.used.current_config() is settings.config
    assert [(each["event"], each["tls"], each["users"]) for each in logs] == [
        ("web configuration loaded", False, 1),
        ("web configuration loaded", False, 1),
    ]
    assert files.successes == [True, True]


async def test_requests_see_a_change_of_the_configuration_at_once(folder: Path) -> None:
    files = Files(folder, TLS + USERS)
    for user in ("prometheus", "grafana", "alloy"):
        files.path.write_text(TLS + USERS.replace("prometheus", user))
        assert list((await files.used.current_config()).users) == [user]


async def test_requests_see_a_change_of_a_certificate_within_a_second(folder: Path) -> None:
    files = Files(folder, TLS)
    await files.used.current_config()
    (folder / "server.crt").write_text("half of it")
    await asyncio.sleep(1.1)
    await files.used.current_config()
    assert files.successes == [True, False]


async def test_requests_see_at_once_that_a_rejected_change_has_become_valid(
    folder: Path, certificates: Path
) -> None:
    files = Files(folder, TLS + USERS)
    shutil.copy(certificates / "second-server.crt", folder / "server.crt")
    files.path.write_text(TLS + USERS.replace("prometheus", "grafana"))
    assert list((await files.used.current_config()).users) == ["prometheus"]
    shutil.copy(certificates / "second-server.key", folder / "server.key")
    assert list((await files.used.current_config()).users) == ["grafana"]


async def test_a_pair_is_renewed_when_both_files_are_new(
    folder: Path, certificates: Path, logs: list[MutableMapping[str, object]]
) -> None:
    files = Files(folder, TLS)
    first, second = (
        ssl.create_default_context(cafile=str(certificates / f"{name}.pem"))
        for name in ("first", "second")
    )
    logs.clear()
    shutil.copy(certificates / "second-server.crt", folder / "server.crt")
    before = (await files.used.current()).tls
    assert before is not None
    assert await files.used.current_tls() is before
    assert not refused(before, first)
    assert [(each["event"], each["problem"]) for each in logs] == [
        ("the new web configuration was rejected", f"{files.path}:1: {MISMATCH}")
    ]
    logs.clear()
    await files.used.current()
    assert logs == []
    shutil.copy(certificates / "second-server.key", folder / "server.key")
    after = (await files.used.current()).tls
    assert after is not None
    assert not refused(after, second)
    assert refused(after, first)
    assert files.successes == [True, False, True]


async def test_cas_of_clients_are_added_and_removed(folder: Path, certificates: Path) -> None:
    files = Files(folder, CLIENTS)
    first, second = (_client(certificates, name) for name in ("first", "second"))

    async def accepted() -> list[bool]:
        tls = (await files.used.current()).tls
        assert tls is not None
        return [not refused(tls, client) for client in (first, second)]

    assert await accepted() == [True, False]
    authorities = [(certificates / f"{name}.pem").read_text() for name in ("first", "second")]
    (folder / "clients.pem").write_text("".join(authorities))
    assert await accepted() == [True, True]
    (folder / "clients.pem").write_text(authorities[1])
    assert await accepted() == [False, True]


def _client(certificates: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates / "first.pem"))
    context.load_cert_chain(
        certificates / f"{name}-client.crt", certificates / f"{name}-client.key"
    )
    return context


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


BREAKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (Path.unlink, "no such file"),
    "emptied": (lambda path: path.write_text(""), "is empty; to remove TLS and users"),
    "a comment": (lambda path: path.write_text("# new\n"), "is empty; to remove TLS"),
    "TLS switched off": (lambda path: path.write_text(USERS), "TLS cannot be switched off while"),
    "no settings": (lambda path: path.write_text("{}"), "TLS cannot be switched off while"),
    "no YAML": (lambda path: path.write_text("{"), "not valid YAML"),
    "users emptied": (lambda path: path.write_text(TLS + "basic_auth_users:\n"), "is empty; exp"),
    "a bad hash": (lambda path: path.write_text(TLS + USERS[:60]), "not valid YAML"),
    "a directory": (_directory, "cannot be read (Is a directory)"),
    "a pipe": (_fifo, "cannot be read (not a regular file but a pipe or a device)"),
    "not UTF-8": (lambda path: path.write_bytes(b"\xff"), "is not valid UTF-8"),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_a_broken_file_leaves_everything_as_it_is(
    folder: Path, logs: list[MutableMapping[str, object]], name: str
) -> None:
    files = Files(folder, TLS + USERS)
    before = files.used.settings
    logs.clear()
    change, problem = BREAKS[name]
    change(files.path)
    for _ in range(3):
        assert await files.used.current() is before
    await asyncio.sleep(60)
    assert await files.used.current() is before
    (entry,) = logs
    assert entry["event"] == "the new web configuration was rejected"
    assert problem in str(entry["problem"])
    assert HASH not in str(entry)
    assert files.successes == [True, False]
    logs.clear()
    if files.path.is_dir():
        files.path.rmdir()
    files.path.unlink(missing_ok=True)
    files.path.write_text(TLS + USERS.replace("prometheus", "grafana"))
    assert await files.users() == ["grafana"]
    assert [each["event"] for each in logs] == ["web configuration loaded"]


async def test_tls_cannot_be_switched_on(folder: Path) -> None:
    files = Files(folder, USERS)
    files.path.write_text(USERS + TLS)
    assert (await files.used.current()).tls is None
    with pytest.raises(ConfigurationError, match="TLS cannot be switched on while the exporter"):
        await files.used.reload()


BLOCKS = f"""\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: clients.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans:
  - prometheus
rate_limit:
  interval: 1s
  burst: 1
basic_auth_users:
  prometheus: {HASH}
"""


@pytest.mark.parametrize(
    "text",
    [TLS + USERS, CLIENTS + USERS, USERS + HEADERS, HEADERS + USERS, BLOCKS],
    ids=["TLS and users", "client certificates", "users", "headers and users", "blocks"],
)
async def test_no_beginning_of_the_file_opens_the_door(folder: Path, text: str) -> None:
    files = Files(folder, text)
    before = files.used.settings.config
    for length in range(len(text)):
        files.path.write_text(text[:length])
        config = (await files.used.current()).config
        assert config.users.keys() == {"prometheus"}, text[:length]
        if before.tls is not None:
            assert config.tls is not None
            assert config.tls.client_auth == before.tls.client_auth, text[:length]
            assert config.tls.client_allowed_sans == before.tls.client_allowed_sans
        await asyncio.sleep(0.1)
    files.path.write_text(text)
    assert (await files.used.current()).config == before


async def test_the_last_users_are_removed_when_the_file_has_settled(
    folder: Path, logs: list[MutableMapping[str, object]]
) -> None:
    files = Files(folder, TLS + USERS)
    files.path.write_text(TLS)
    logs.clear()
    assert await files.users() == ["prometheus"]
    (entry,) = logs
    assert str(entry["event"]).startswith("the new web configuration loosens authentication; it")
    logs.clear()
    await asyncio.sleep(4.9)
    assert await files.users() == ["prometheus"]
    await asyncio.sleep(0.2)
    assert await files.users() == []
    (entry,) = logs
    assert entry == {
        "event": "web configuration loaded",
        "log_level": "info",
        "tls": True,
        "users": 0,
        "authentication": "removed",
    }


async def test_users_that_come_back_in_time_were_never_removed(folder: Path) -> None:
    files = Files(folder, TLS + USERS)
    files.path.write_text(TLS)
    assert await files.users() == ["prometheus"]
    await asyncio.sleep(4.9)
    files.path.write_text(TLS + USERS)
    assert await files.users() == ["prometheus"]
    await asyncio.sleep(10)
    assert await files.users() == ["prometheus"]


async def test_a_reload_removes_the_last_users_at_once(folder: Path) -> None:
    files = Files(folder, TLS + USERS)
    files.path.write_text(TLS)
    await files.used.reload()
    assert await files.users() == []


async def test_one_of_several_users_is_removed_at_once(folder: Path) -> None:
    files = Files(folder, USERS.replace("}", f", grafana: {HASH}}}"))
    files.path.write_text(USERS)
    assert await files.users() == ["prometheus"]


OPTIONAL = CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")


@pytest.mark.parametrize(
    ("strict", "text"),
    [
        (CLIENTS, TLS),
        (CLIENTS, OPTIONAL),
        (OPTIONAL, TLS),
        (CLIENTS.replace("}", ", client_allowed_sans: [scraper]}"), CLIENTS),
        (
            CLIENTS.replace("}", ", client_allowed_sans: [10.0.0.12]}"),
            CLIENTS.replace("}", ", client_allowed_sans: [10.0.0.1]}"),
        ),
    ],
)
async def test_other_authentication_is_loosened_when_the_file_has_settled(
    folder: Path, strict: str, text: str
) -> None:
    files = Files(folder, strict)
    before = files.used.settings
    files.path.write_text(text)
    assert await files.used.current() is before
    await asyncio.sleep(5)
    assert await files.used.current() is not before


async def test_required_authentication_is_not_removed(folder: Path) -> None:
    files = Files(folder, TLS + USERS, require_authentication=True)
    files.path.write_text(TLS)
    with pytest.raises(ConfigurationError, match="does not authenticate clients"):
        await files.used.reload()
    await asyncio.sleep(60)
    assert await files.users() == ["prometheus"]


async def test_the_symbolic_links_of_kubernetes_are_followed(folder: Path) -> None:
    def version(name: str, user: str) -> None:
        (folder / name).mkdir()
        (folder / name / "web.yaml").write_text(USERS.replace("prometheus", user))
        (folder / "next").symlink_to(name)
        (folder / "next").rename(folder / "..data")

    version("..1", "one")
    mounted = folder / "mounted.yaml"
    mounted.symlink_to("..data/web.yaml")
    used = WebConfigFile(mounted)
    version("..2", "two")
    assert list((await used.current()).config.users) == ["two"]
    shutil.rmtree(folder / "..1")
    assert list((await used.current()).config.users) == ["two"]


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("time", [0, 4_000_000_000])  # a clock that was wrong
async def test_a_file_of_the_same_size_and_time_is_another(
    folder: Path, *, replaced: bool, time: int
) -> None:
    files = Files(folder, USERS)
    os.utime(files.path, (time, time))
    assert await files.users() == ["prometheus"]
    target = folder / "new" if replaced else files.path
    target.write_text(USERS.replace("prometheus", "prometheuS"))
    os.utime(target, (time, time))
    target.rename(files.path)
    assert await files.users() == ["prometheuS"]


async def test_a_reload_loads_unchanged_files_too(
    folder: Path, logs: list[MutableMapping[str, object]]
) -> None:
    files = Files(folder, USERS)
    before = files.used.settings
    logs.clear()
    await files.used.reload()
    assert files.used.settings is not before
    assert logs == []  # nothing is different


async def test_problems_are_raised_and_logged_by_every_reload_and_not_by_requests(
    folder: Path, logs: list[MutableMapping[str, object]]
) -> None:
    files = Files(folder, USERS)
    logs.clear()
    files.path.write_text("junk: 1\nrate_limit: 1\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            await files.used.reload()
        assert [problem.line for problem in caught.value.problems] == [1, 2]
    await files.used.current()
    assert [each["event"] for each in logs] == ["the new web configuration was rejected"] * 4
    assert files.used.rejected.count("\n") == 1
    files.path.write_text("junk: 1\n")
    await files.used.current()
    assert len(logs) == 5
