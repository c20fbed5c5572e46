"""The build context of the image, and its health check, run against servers on this machine."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import bcrypt
import pytest

from exporter.cli import arguments
from tests.programs import EXPORTER, ROOT, free_address, printed, started
from tests.web.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def health_check(address: str) -> tuple[int, str]:
    """Run the health check of the image for ``address``; return its exit code and message."""
    (text,) = re.findall(r"^HEALTHCHECK .* CMD (\[(?:.*\\\n)*.*\])$", DOCKERFILE, re.MULTILINE)
    interpreter, *rest = json.loads(text.replace("\\\n", ""))
    assert interpreter == "python3"
    done = subprocess.run(
        [sys.executable, *rest],
        env={"HEALTHCHECK_ADDRESS": address},
        capture_output=True,
        text=True,
        check=False,
        timeout=5,  # as the image has it
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def answering(
    status: int = 200, text: str = "Healthy.\n", *, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve ``/-/healthy``, over TLS if there is a context; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library calls
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # failed handshakes are expected

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def over_tls(folder: Path, *, client_certificates: bool = False) -> ssl.SSLContext:
    """Return the settings of a server whose CA the health check does not know."""
    authority = Authority(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(*authority.issue("exporter.team.example", file="server"))
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_the_build_gets_the_files_that_it_copies_and_builds_from() -> None:
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(allowed)
    assert {"pyproject.toml", "hatch_build.py", "README.md"} < set(allowed)


def test_the_labels_tell_what_the_image_was_built_from() -> None:
    _, _, last = DOCKERFILE.rpartition("\nFROM ")
    assert re.findall(r"^ARG (\w+)", last, re.MULTILINE) == ["VERSION", "REVISION"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="(.*?)"', last))
    assert labels.pop("description")
    assert labels == {
        "title": "confluent-api-keys-exporter",
        "licenses": "Apache-2.0",
        "version": "${VERSION}",
        "revision": "${REVISION}",
    }


def test_the_address_is_that_of_the_default_port() -> None:
    (address,) = re.findall(r"^ENV HEALTHCHECK_ADDRESS=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert address == f"127.0.0.1:{arguments.DEFAULT_PORT}"
    assert f"EXPOSE {arguments.DEFAULT_PORT}\n" in DOCKERFILE


def test_a_server_without_tls_is_healthy() -> None:
    with answering() as address:
        assert health_check(address) == (0, "")


def test_a_server_with_any_certificate_is_healthy(tmp_path: Path) -> None:
    with answering(tls=over_tls(tmp_path)) as address:
        assert health_check(address) == (0, "")


@pytest.mark.parametrize("secure", [False, True])
def test_an_unhealthy_server_is_reported_with_its_answer(secure: bool, tmp_path: Path) -> None:  # noqa: FBT001 # a parameter of the test
    answer = "Refresh loops have stopped: 1. Restart the exporter.\n"
    tls = over_tls(tmp_path) if secure else None
    with answering(503, answer, tls=tls) as address:
        assert health_check(address) == (1, f"{answer}\n")


@pytest.mark.parametrize("client_certificates", [False, True])
def test_an_exporter_with_tls_and_users_is_healthy(
    client_certificates: bool,  # noqa: FBT001 # a parameter of the test
    tmp_path: Path,
) -> None:
    authority, probes = Authority(tmp_path), free_address()
    authority.server()
    clients = (
        f"client_ca_file: {authority.certificate}, client_auth_type: RequireAndVerifyClientCert"
    )
    tls = f"cert_file: server.crt, key_file: server.key, {clients if client_certificates else ''}"
    users = f"{{prometheus: {bcrypt.hashpw(b'password', bcrypt.gensalt(4)).decode()}}}"
    (tmp_path / "web.yml").write_text(f"tls_server_config: {{{tls}}}\nbasic_auth_users: {users}\n")
    (tmp_path / "config.yaml").write_text(
        "organizations: [{name: acme, url: 'http://127.0.0.1:1'}]\n"
    )
    command = [
        *(*EXPORTER, f"--config.file={tmp_path}/config.yaml"),
        *(f"--web.config.file={tmp_path}/web.yml", "--web.listen-address=127.0.0.1:0"),
        *([f"--web.probe-listen-address={probes}"] if client_certificates else []),
    ]
    credentials = {"CONFLUENT_CLOUD_API_KEY": "KEY", "CONFLUENT_CLOUD_API_SECRET": "SECRET"}
    with started(*command, log=tmp_path / "log", environ=credentials):
        address = printed(tmp_path / "log", r"urls=https://(\S+)")
        if client_certificates:
            code, message = health_check(address)
            assert (code, message.count("HEALTHCHECK_ADDRESS")) == (1, 1)
        assert health_check(probes if client_certificates else address) == (0, "")


def test_a_server_that_requires_client_certificates_is_checked_at_its_probe_address(
    tmp_path: Path,
) -> None:
    tls = over_tls(tmp_path, client_certificates=True)
    with answering(tls=tls) as address, answering() as probes:
        code, message = health_check(address)
        assert code == 1
        assert message.startswith(f"no answer from {address}: ")
        assert "or requires client certificates, set HEALTHCHECK_ADDRESS" in message
        assert health_check(probes) == (0, "")


def test_a_server_that_does_not_answer_is_unhealthy() -> None:
    address = free_address()
    code, message = health_check(address)
    assert code == 1
    assert message.startswith(f"no answer from {address}: ")
    assert "Connection refused" in message
