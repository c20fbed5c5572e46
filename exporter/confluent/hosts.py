"""Creates the host of an organization, with the hosts that its credentials need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config import ApiKeyCredentials, TokenFile
from exporter.confluent import endpoints
from exporter.confluent.credentials import BasicCredentials, NoCredentials
from exporter.confluent.failures import API, IDENTITY_PROVIDER, METRICS_API
from exporter.confluent.headers import IAM, METRICS
from exporter.confluent.host import Host, HostSettings
from exporter.confluent.identity_pool import IdentityPoolCredentials
from exporter.confluent.identity_provider import ClientTokens, FileTokens
from exporter.confluent.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    import httpx

    from exporter.clock import Clock
    from exporter.config import Credentials as ConfiguredCredentials
    from exporter.config import Organization, PoolCredentials
    from exporter.confluent.credentials import Credentials
    from exporter.confluent.failures import Server
    from exporter.confluent.headers import HeaderDialect
    from exporter.confluent.identity_provider import SubjectTokens
    from exporter.confluent.request import Observer
    from exporter.confluent.trust import TrustStore


class HostFactory:
    """Creates the hosts of one organization. Its settings, such as ``tls``, apply to all of them.

    ``transport``: of all requests; None for the network. Raises
    :class:`~exporter.errors.StartUpError` for unusable proxies and certificates.
    """

    def __init__(
        self,
        organization: Organization,
        *,
        clock: Clock,
        observer: Observer,
        random: Random,
        trusts: TrustStore,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._organization = organization
        self._clock = clock
        self._observer = observer
        self._random = random
        self._trusts = trusts
        self._transport = transport

    def create(self) -> Mapping[str, Host]:
        """Return the hosts that collectors use, by name, with the organization's credentials.

        ``api`` always exists, ``metrics`` only where the configuration needs the Metrics API.
        """
        api = self._api()
        usage = self._organization.usage
        if not usage.enabled:
            return {"api": api}
        pacer = self._pacer(METRICS)
        return {
            "api": api,
            "metrics": self._host(usage.url, api.credentials, pacer, METRICS_API, METRICS),
        }

    def _api(self) -> Host:
        url, credentials = self._organization.url, self._organization.credentials
        pacer = self._pacer()
        if isinstance(credentials, ApiKeyCredentials):
            return self._host(url, BasicCredentials(credentials), pacer, API)
        # The STS has its own lock, because the API's is held while it waits for a token.
        sts = self._host(url, NoCredentials(), pacer, API)
        subject = self._subject_tokens(credentials)
        pool = IdentityPoolCredentials(credentials, sts=sts, subject=subject, clock=self._clock)
        return self._host(url, pool, pacer, API)

    def _subject_tokens(self, credentials: PoolCredentials) -> SubjectTokens:
        subject = credentials.subject_token
        if isinstance(subject, TokenFile):
            return FileTokens(subject, clock=self._clock)
        provider = self._host(subject.token_url, NoCredentials(), self._pacer(), IDENTITY_PROVIDER)
        return ClientTokens(subject, provider, clock=self._clock)

    def _pacer(self, dialect: HeaderDialect = IAM) -> Pacer:
        return Pacer(
            reserve=self._organization.rate_limit.reserve,
            reset_header=dialect.reset,
            clock=self._clock,
            observer=self._observer,
            random=self._random,
        )

    def _host(
        self,
        url: str,
        credentials: Credentials,
        pacer: Pacer,
        server: Server,
        dialect: HeaderDialect = IAM,
    ) -> Host:
        one = self._organization
        over_tls = self._transport is None and url.startswith("https:")
        return Host(
            HostSettings(
                url=url,
                request_timeout=one.request_timeout,
                max_body=one.max_response_bytes,
                dialect=dialect,
                server=server,
            ),
            credentials,
            pacer=pacer,
            clock=self._clock,
            observer=self._observer,
            transport=self._transport,
            trust=self._trusts.of(one.tls) if over_tls else None,
        )


def token_endpoints(credentials: ConfiguredCredentials) -> tuple[str, ...]:
    """Return the endpoints that issue the tokens of ``credentials``."""
    if isinstance(credentials, ApiKeyCredentials):
        return ()
    if isinstance(credentials.subject_token, TokenFile):
        return (endpoints.STS,)
    return endpoints.STS, endpoints.IDENTITY_PROVIDER
