"""TLS of the servers and clients in ``sockets.py``."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest

from exporter.config.web_values import ClientAuth, TlsConfig
from exporter.web.tls import TlsContext, tls_context
from tests.web.certificates import Authority

over_http_and_https = pytest.mark.parametrize("transport", ["http", "https"])


@functools.cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is removed when the tests end."""
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


def authority(name: str = "ca") -> Authority:
    """Return a CA that all tests of this process share."""
    return _authority(name)


@functools.cache
def _authority(name: str) -> Authority:
    return Authority(Path(folder().name), name)


@functools.cache
def server_paths(file: str) -> tuple[Path, Path]:
    """Return the files of a chain and its key; each ``file`` names others."""
    return authority().server(file)


@functools.cache
def client_files(name: str) -> tuple[Path, Path]:
    """Return the chain and the key of a client."""
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    match name:
        case "no name":
            return authority().issue(file=name, common_name="known.example")
        case "expired":
            validity = {"not_before": past, "not_after": past + dt.timedelta(days=90)}
            return authority().issue("known.example", file=name, **validity)
        case "of another CA":
            return authority("other").issue("known.example", file=name)
    return authority().issue(f"{name}.example", file=name)


def settings(*client_cas: str, file: str = "server", **options: Any) -> TlsContext:
    """Return TLS settings that require a certificate of one of ``client_cas``, if there are any.

    ``file``: names the server's certificate. ``options``: fields of ``TlsConfig``.
    """
    if client_cas:
        certificates = [authority(each).certificate.read_bytes() for each in client_cas]
        options = {
            "client_ca": b"".join(certificates),
            "client_auth": ClientAuth.REQUIRED,
            **options,
        }
    chain, key = (each.read_bytes() for each in server_paths(file))
    return tls_context(TlsConfig(chain, key, **options))


class ServedTls:
    """The settings of a server, which can be replaced while it runs, and its failures."""

    def __init__(self, context: TlsContext, client: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.client = client or authority().client_context()
        self.failures = 0

    async def current(self) -> TlsContext:
        return self.context

    def count_failure(self) -> None:
        self.failures += 1


def usual(transport: str) -> ServedTls | None:
    """Return the usual settings for ``https``, None for ``http``."""
    return ServedTls(_usual()) if transport == "https" else None


@functools.cache
def _usual() -> TlsContext:
    return settings()


class ClientTls:
    """A client's side of TLS, without a socket."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost", session=session
        )


def client_hello() -> bytes:
    """Return the first message of a client."""
    tls = ClientTls(authority().client_context())
    with pytest.raises(ssl.SSLWantReadError):
        tls.object.do_handshake()
    return tls.outgoing.read()
