"""TLS settings that change while the server runs."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from tests.web.sockets import Client, answers, hello, run, serving
from tests.web.tls import ServedTls, authority, client_files, settings

if TYPE_CHECKING:
    from exporter.web.tls import TlsContext
    from tests.web.sockets import Serving

pytestmark = pytest.mark.integration


def certificate(client: Client) -> bytes | None:
    """Return the certificate that the server showed to ``client``."""
    assert client.tls is not None
    return client.tls.object.getpeercert(binary_form=True)


def context_of(name: str, version: str = "TLSv1_3") -> ssl.SSLContext:
    context = authority().client_context(*client_files(name))
    context.maximum_version = ssl.TLSVersion[version]
    return context


async def is_refused(server: Serving, context: ssl.SSLContext) -> bool:
    with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
        await answers(await server.client(context=context))
    return True


def test_a_certificate_is_renewed_between_two_requests_of_one_connection() -> None:
    async def main() -> None:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            kept = await server.client()
            assert await answers(kept)
            tls.context = settings(file="renewed")
            assert await answers(kept)
            new = await server.client()
            assert await answers(new)
            assert certificate(new) not in (None, certificate(kept))
            assert await answers(kept)

    run(main())


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_removed_ca_is_refused_at_the_next_connection(version: str) -> None:
    async def main() -> None:
        tls = ServedTls(settings("ca", "other"))
        async with serving(hello, tls=tls) as server:
            context = context_of("of another CA", version)
            kept = await server.client(context=context)
            assert await answers(kept)
            tls.context = settings("ca")
            assert await is_refused(server, context)
            assert await answers(kept)
            assert await answers(await server.client(context=context_of("known")))

    run(main())


def test_an_added_ca_is_accepted_at_the_next_connection() -> None:
    async def main() -> None:
        tls = ServedTls(settings("ca"))
        async with serving(hello, tls=tls) as server:
            context = context_of("of another CA")
            assert await is_refused(server, context)
            tls.context = settings("ca", "other")
            assert await answers(await server.client(context=context))

    run(main())


def test_client_certificates_can_become_required() -> None:
    async def main() -> None:
        tls = ServedTls(settings())
        async with serving(hello, tls=tls) as server:
            kept = await server.client()
            assert await answers(kept)
            tls.context = settings("ca")
            with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
                await answers(await server.client())
            assert await answers(kept)

    run(main())


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("allows_resumption", [False, True])
def test_a_session_cannot_be_resumed_after_its_ca_was_removed(
    version: str, *, allows_resumption: bool
) -> None:
    """Even if OpenSSL issued tickets, the new settings would not accept those of the old ones."""

    def with_ca(*names: str) -> TlsContext:
        tls = settings(*names)
        if allows_resumption:
            tls.context.options &= ~ssl.OP_NO_TICKET
            tls.context.num_tickets = 2
        return tls

    async def resumes(client: Client, context: ssl.SSLContext, session: ssl.SSLSession) -> bool:
        await client.start_tls(context, session)
        return await answers(client)

    async def main() -> None:
        tls = ServedTls(with_ca("ca", "other"))
        async with serving(hello, tls=tls) as server:
            context = context_of("of another CA", version)
            kept = await server.client(context=context)
            assert await answers(kept)
            assert kept.tls is not None
            session = kept.tls.object.session
            assert session is not None
            tls.context = with_ca("ca")
            returning = await server.tcp_client()
            with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
                await resumes(returning, context, session)
            assert returning.tls is not None
            assert not returning.tls.object.session_reused
            assert await answers(kept)

    run(main())
