"""Which clients a server with given TLS settings serves: Python's client, and curl."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from exporter.config.web_values import ClientAuth
from exporter.web.settings import WebConfigFile
from tests.web.sockets import answers, hello, run, serving
from tests.web.tls import ServedTls, authority, client_files, server_paths, settings

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from exporter.web.tls import TlsContext
    from tests.web.sockets import Client

pytestmark = pytest.mark.integration

ECDHE_128 = "ECDHE-ECDSA-AES128-GCM-SHA256"
ECDHE_256 = "ECDHE-ECDSA-AES256-GCM-SHA384"
CBC = "ECDHE-ECDSA-AES128-SHA"
"""A cipher suite that HTTP/2 forbids (RFC 9113, appendix A)."""
TLS_1_2: dict[str, Any] = {"max_version": ssl.TLSVersion.TLSv1_2}


def client_of(
    certificate: str | None = None, *, ciphers: str | None = None, **options: Any
) -> ssl.SSLContext:
    """Return TLS settings of a client; ``options``: attributes of the context."""
    files = client_files(certificate) if certificate else ()
    context = authority().client_context(*files)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    for name, value in options.items():
        setattr(context, name, value)
    return context


def only_1_2(ciphers: str | None = None) -> ssl.SSLContext:
    return client_of(ciphers=ciphers, maximum_version=ssl.TLSVersion.TLSv1_2)


def served(tls: TlsContext, context: ssl.SSLContext) -> Client:
    """Return the connection of a client after one successful request."""

    async def main() -> Client:
        async with serving(hello, tls=ServedTls(tls)) as server:
            client = await server.client(context=context)
            assert await answers(client)
            return client

    return run(main())


def refused(tls: TlsContext, context: ssl.SSLContext) -> str:
    """Return OpenSSL's name of the error with which the server refuses a client."""

    async def main() -> str:
        served_tls = ServedTls(tls)
        async with serving(hello, tls=served_tls) as server:
            with pytest.raises(ssl.SSLError) as error:
                # With TLS 1.3, a client is told only after its own part of the handshake.
                await answers(await server.client(context=context))
            assert served_tls.failures == 1
            return error.value.reason or ""

    return run(main())


def cipher(client: Client) -> str:
    assert client.tls is not None
    found = client.tls.object.cipher()
    assert found is not None
    return found[0]


def test_without_tls_a_plain_client_is_served() -> None:
    async def main() -> None:
        async with serving(hello) as server:
            assert await answers(await server.client())

    run(main())


def test_without_tls_a_tls_client_is_refused() -> None:
    async def main() -> None:
        async with serving(hello) as server:
            with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
                await server.client(context=authority().client_context())
            assert await answers(await server.client())

    run(main())


def test_with_tls_a_plain_client_is_told_to_use_https() -> None:
    async def main() -> None:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            status, headers, body = await (await server.tcp_client()).get()
            assert status == 400
            assert headers["connection"] == "close"
            assert headers["content-type"] == "text/plain; charset=utf-8"
            assert body == b"This server expects HTTPS: use https:// in the URL.\n"
            assert tls.failures == 1
            assert await answers(await server.client())

    run(main())


def test_with_tls_a_plain_client_that_continues_to_send_receives_the_answer() -> None:
    async def main() -> None:
        async with serving(hello, tls=ServedTls(settings())) as server:
            client = await server.tcp_client()
            await client.send(b"POST / HTTP/1.1\r\n" + b"a" * 2**24)
            assert (await client.response())[0] == 400

    run(main())


def test_with_tls_a_tls_client_is_served_with_tls_1_3() -> None:
    client = served(settings(), client_of())
    assert client.tls is not None
    assert client.tls.object.version() == "TLSv1.3"


def test_a_certificate_and_a_key_in_the_configuration_itself_are_served(tmp_path: Path) -> None:
    chain, key = (each.read_text() for each in server_paths("server"))
    path = tmp_path / "web.yaml"
    path.write_text(json.dumps({"tls_server_config": {"cert": chain, "key": key}}))
    tls = WebConfigFile(path).settings.tls
    assert tls is not None
    served(tls, client_of())


def test_a_client_of_tls_1_2_is_served() -> None:
    client = served(settings(), only_1_2())
    assert client.tls is not None
    assert client.tls.object.version() == "TLSv1.2"


def test_a_client_of_tls_1_1_is_refused() -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old = client_of(
            ciphers="DEFAULT:@SECLEVEL=0",
            minimum_version=ssl.TLSVersion.TLSv1_1,
            maximum_version=ssl.TLSVersion.TLSv1_1,
        )
    assert refused(settings(), old) == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_a_client_of_tls_1_2_is_refused_where_1_3_is_the_minimum() -> None:
    tls = settings(min_version=ssl.TLSVersion.TLSv1_3)
    assert refused(tls, only_1_2()) == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_a_client_with_all_ciphers_of_the_server_is_served() -> None:
    served(settings(ciphers="ALL", **TLS_1_2), only_1_2("ALL"))


def test_a_client_with_some_ciphers_of_the_server_gets_the_common_one() -> None:
    tls = settings(ciphers=f"{ECDHE_128}:{ECDHE_256}", **TLS_1_2)
    assert cipher(served(tls, only_1_2(f"{CBC}:{ECDHE_256}"))) == ECDHE_256


def test_a_client_with_no_cipher_of_the_server_is_refused() -> None:
    tls = settings(ciphers=ECDHE_128, **TLS_1_2)
    assert refused(tls, only_1_2(ECDHE_256)) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize(("prefer_server", "chosen"), [(True, ECDHE_256), (False, ECDHE_128)])
def test_the_server_chooses_the_cipher_unless_the_client_may(
    *, prefer_server: bool, chosen: str
) -> None:
    ciphers = f"{ECDHE_256}:{ECDHE_128}"
    tls = settings(ciphers=ciphers, prefer_server_ciphers=prefer_server, **TLS_1_2)
    assert cipher(served(tls, only_1_2(f"{ECDHE_128}:{ECDHE_256}"))) == chosen


def test_a_cipher_that_http_2_forbids_is_served() -> None:
    assert cipher(served(settings(ciphers=CBC, **TLS_1_2), only_1_2(CBC))) == CBC


def test_http_1_1_is_chosen_of_a_client_that_offers_http_2() -> None:
    context = client_of()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = served(settings(), context)
    assert client.tls is not None
    assert client.tls.object.selected_alpn_protocol() == "http/1.1"


def with_curve(curve: str) -> ssl.SSLContext:
    context = client_of()
    context.set_ecdh_curve(curve)
    return context


def test_a_client_with_all_curves_is_served() -> None:
    served(settings(curve="prime256v1"), client_of())


def test_a_client_with_the_curve_of_the_server_is_served() -> None:
    served(settings(curve="secp384r1"), with_curve("secp384r1"))


def test_a_client_without_the_curve_of_the_server_is_refused() -> None:
    tls = settings(curve="secp384r1")
    assert refused(tls, with_curve("prime256v1")) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_a_client_with_the_required_certificate_is_served() -> None:
    served(settings("ca"), client_of("known"))


@pytest.mark.parametrize("client", [None, "known"])
def test_a_certificate_can_be_optional(client: str | None) -> None:
    tls = settings("ca", client_auth=ClientAuth.OPTIONAL)
    served(tls, client_of(client))


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (None, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
        ("of another CA", "TLSV1_ALERT_UNKNOWN_CA"),
        ("expired", "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ],
)
def test_a_client_without_a_valid_certificate_is_refused(client: str | None, reason: str) -> None:
    assert refused(settings("ca"), client_of(client)) == reason


def test_a_client_with_an_invalid_optional_certificate_is_refused() -> None:
    tls = settings("ca", client_auth=ClientAuth.OPTIONAL)
    assert refused(tls, client_of("of another CA")) == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_client_with_an_allowed_name_is_served() -> None:
    served(settings("ca", client_allowed_sans=("known.example",)), client_of("known"))


@pytest.mark.parametrize("client", ["unknown", "no name"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_without_an_allowed_name_is_disconnected_before_its_request(
    client: str, version: str
) -> None:
    requests = 0

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal requests
        requests += 1
        await hello(scope, receive, send)

    async def main() -> None:
        tls = ServedTls(settings("ca", client_allowed_sans=("known.example",)))
        async with serving(counting, tls=tls) as server:
            context = client_of(client, maximum_version=ssl.TLSVersion[version])
            unnamed = await server.client(context=context)
            await unnamed.send(b"GET / HTTP/1.1\r\nHost: exporter\r\n\r\n")
            assert await unnamed.rest() == b""
            assert (tls.failures, requests) == (1, 0)
            assert await answers(await server.client(context=client_of("known")))

    run(main())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("requires", "arguments", "output"),
    [
        ((), ("https", "--cacert", "ca.pem"), (0, "Hello.\n200")),
        ((), ("https",), (60, "000")),  # unknown CA
        ((), ("http",), (0, "This server expects HTTPS: use https:// in the URL.\n400")),
        (("ca",), ("https", "--cacert", "ca.pem"), (56, "000")),  # receiving failed
        (
            ("ca",),
            ("https", "--cacert", "ca.pem", "--cert", "known.crt", "--key", "known.key"),
            (0, "Hello.\n200"),
        ),
    ],
    ids=["trusting", "not trusting", "plain", "no certificate", "certificate"],
)
def test_curl(
    requires: tuple[str, ...], arguments: tuple[str, ...], output: tuple[int, str]
) -> None:
    client_files("known")
    scheme, *options = arguments

    async def main() -> tuple[int | None, str]:
        async with serving(hello, tls=ServedTls(settings(*requires))) as server:
            process = await asyncio.create_subprocess_exec(
                *("curl", "--silent", "--max-time", "10", "--write-out", "%{http_code}"),
                *(*options, f"{scheme}://localhost:{server.address[1]}/"),
                cwd=authority().folder,
                stdout=asyncio.subprocess.PIPE,
            )
            printed, _ = await process.communicate()
            return process.returncode, printed.decode()

    assert run(main()) == output
