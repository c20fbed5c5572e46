"""The exporter as a process with a web configuration: TLS and users."""

from __future__ import annotations

import json
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from typing import TYPE_CHECKING

from tests.cli.api import ENVIRON
from tests.programs import EXPORTER, program, started
from tests.programs import printed as printed_in
from tests.web.certificates import Authority
from tests.web.users import hashed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

USER, PASSWORD = "scraper", "correct horse battery staple"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


class WebProcess:
    """The files of an exporter in ``folder``, and what it answers.

    The web configuration has a certificate of ``authority`` and one user.
    """

    def __init__(self, folder: Path, api: str = "http://127.0.0.1:9") -> None:
        self.folder, self.log = folder, folder / "log"
        self.authority = Authority(folder)
        self.authority.server()
        self.config, self.web_config = folder / "config.yaml", folder / "web.yaml"
        self.configure("acme", api=api)
        self.write_web_config({USER: PASSWORD})

    def configure(self, *names: str, api: str = "http://127.0.0.1:9") -> None:
        entries = ", ".join(f"{{name: {name}, url: '{api}'}}" for name in names)
        self._replace(self.config, f"organizations: [{entries}]\n")

    def write_web_config(self, users: Mapping[str, str], more: str = "") -> None:
        """Write a valid web configuration with ``users`` and their passwords."""
        hashes = {user: hashed(password) for user, password in users.items()}
        self.replace_web_config(
            "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
            f"basic_auth_users: {json.dumps(hashes)}\n{more}"
        )

    def replace_web_config(self, text: str) -> None:
        self._replace(self.web_config, text)

    @staticmethod
    def _replace(path: Path, text: str) -> None:
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)

    @property
    def flags(self) -> tuple[str, ...]:
        return (f"--config.file={self.config}", f"--web.config.file={self.web_config}")

    @contextmanager
    def running(self, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the exporter while the context is open."""
        command = (*EXPORTER, *self.flags, "--web.listen-address=127.0.0.1:0", *flags)
        with started(*command, log=self.log, environ=ENVIRON) as process:
            self.address = self.printed(r"msg=listening .*urls=https://(\S+)")
            yield process

    def printed(self, pattern: str) -> str:
        """Wait until ``pattern`` matches in the log; return its group."""
        return printed_in(self.log, pattern)

    def logged(self, message: str) -> int:
        """Return how often ``message`` is in the log."""
        return self.log.read_text().count(f'msg="{message}"')

    def connection(self) -> HTTPSConnection:
        """Return a connection that trusts the CA."""
        host, _, port = self.address.partition(":")
        return HTTPSConnection(host, int(port), context=self.authority.client_context(), timeout=20)

    def certificate(self) -> bytes:
        """Return the certificate that a new connection gets."""
        connection = self.connection()
        connection.connect()
        try:
            assert isinstance(connection.sock, ssl.SSLSocket)
            return connection.sock.getpeercert(binary_form=True) or b""
        finally:
            connection.close()

    def curl(self, path: str, *options: str, user: str | None = f"{USER}:{PASSWORD}") -> Answer:
        """Return what curl gets from ``path``."""
        body = self.folder / "body"
        body.unlink(missing_ok=True)
        login = () if user is None else ("--user", user)
        done = subprocess.run(
            (
                program("curl", package="curl"),
                *("--silent", "--show-error", "--max-time", "20", "--globoff"),
                *("--cacert", str(self.authority.certificate), "--output", str(body)),
                *("--write-out", "%{json}\\n%{header_json}", *login, *options),
                path if "://" in path else f"https://{self.address}{path}",
            ),
            capture_output=True,
            text=True,
            check=True,
        )
        facts, _, headers = done.stdout.partition("\n")
        return Answer(
            json.loads(facts)["http_code"],
            {name: ", ".join(values) for name, values in json.loads(headers).items()},
            body.read_text() if body.exists() else "",
        )
