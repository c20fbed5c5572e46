"""A simulator with identity pools, and the requests for its tokens."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import httpx

from exporter.simulator import (
    IDENTITY_PROVIDER_PATH,
    STS_PATH,
    Account,
    IdentityPool,
    IdentityProvider,
    SimulatedOrganization,
    Simulator,
    parse_fault,
)
from tests.jwts import part, to_base64
from tests.simulator.helpers import ORIGIN, SECRET, some_keys
from tests.virtual_time import FakeClock

if TYPE_CHECKING:
    from exporter.simulator import ApiOptions, SimulatedRateLimit

ISSUER = "https://kubernetes.example.com"
SUBJECT = "system:serviceaccount:monitoring:exporter"
CLIENT, CLIENT_SECRET = "exporter-client", "the secret/of+the client"


class Keyless:
    """A simulated organization of three keys with the pools ``pool-1`` and ``pool-2``.

    ``pool-1`` accepts only the token of a service account, ``pool-2`` any of the provider.
    """

    def __init__(
        self,
        *specs: str,
        rate_limit: SimulatedRateLimit | None = None,
        options: ApiOptions | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.provider = IdentityProvider(
            issuer=ISSUER, clients={CLIENT: CLIENT_SECRET}, clock=self.clock
        )
        self.organization = SimulatedOrganization(some_keys(3))
        self.account = Account("CLOUDKEY", SECRET, self.organization)
        self.simulator = Simulator(
            [self.account],
            clock=self.clock,
            faults=[parse_fault(spec) for spec in specs],
            rate_limit=rate_limit,
            options=options,
            identity_providers=[self.provider],
            pools=[
                IdentityPool("pool-1", self.account, ISSUER, SUBJECT, "confluent-cloud"),
                IdentityPool("pool-2", self.account, ISSUER),
            ],
        )

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.simulator.transport(), base_url=ORIGIN)

    def signed(self, claims: dict[str, object]) -> str:
        """Return a token with ``claims`` and a valid signature of the provider."""
        signed = f"{part({'alg': 'HS256'})}.{part(claims)}"
        return f"{signed}.{to_base64(hmac.digest(self.provider._key, signed.encode(), 'sha256'))}"

    async def exchange(self, path: str = STS_PATH, /, **changes: str | None) -> httpx.Response:
        """Ask the STS for a token of ``pool-1``, with some fields changed or left out (None)."""
        fields = {**self.fields(), **changes}
        async with self.client() as client:
            return await client.post(
                path, data={name: text for name, text in fields.items() if text is not None}
            )

    def fields(self) -> dict[str, str | None]:
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": self.provider.token(subject=SUBJECT),
            "identity_pool_id": "pool-1",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }

    async def bearer_token(self, **changes: str | None) -> str:
        response = await self.exchange(**changes)
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token

    async def list_keys(self, token: str) -> httpx.Response:
        async with self.client() as client:
            return await client.get(
                "/iam/v2/api-keys", headers={"Authorization": f"Bearer {token}"}
            )

    async def log_in(
        self, basic: tuple[str, str] | None = None, /, **changes: str | None
    ) -> httpx.Response:
        """Ask the identity provider for a token, with some fields changed or left out (None)."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            **changes,
        }
        async with self.client() as client:
            return await client.post(
                IDENTITY_PROVIDER_PATH,
                data={name: text for name, text in fields.items() if text is not None},
                auth=httpx.BasicAuth(*basic) if basic else httpx.USE_CLIENT_DEFAULT,
            )
