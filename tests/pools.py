"""The whole exporter over the simulator, with identity pools instead of API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from exporter.simulator import (
    IDENTITY_PROVIDER_PATH,
    STS_PATH,
    Account,
    ApiOptions,
    IdentityPool,
    IdentityProvider,
    Simulator,
)
from tests.harness import API_KEYS, URL, Harness

if TYPE_CHECKING:
    from pathlib import Path

CLIENT_SECRET = "the-secret-of-the-client"
ISSUER = "https://idp.example.invalid"
Subject = Literal["file", "client"]
"""Where an organization gets the token of the identity provider."""
SUBJECT = "system:serviceaccount:monitoring:exporter"
AUDIENCE = "confluent-cloud"


class PoolHarness(Harness):
    """As :class:`Harness`; the organizations are seen by pools ``pool-0``, ``pool-1`` and so on.

    ``folder``: for the files with the tokens and the client secret. ``lifetime``: seconds, of the
    tokens of the STS.
    """

    def __init__(
        self,
        folder: Path,
        *,
        subject: Subject = "file",
        lifetime: int = 900,
        **settings: Any,
    ) -> None:
        self.folder, self._subject = folder, subject
        super().__init__(options=ApiOptions(token_lifetime=lifetime), **settings)

    def create_simulator(self, **settings: Any) -> Simulator:
        self.provider = IdentityProvider(
            issuer=ISSUER,
            clock=self.clock,
            clients={f"client-{number}": CLIENT_SECRET for number in range(len(self.accounts))},
            audience=AUDIENCE,
        )
        self.pools = [
            IdentityPool(
                f"pool-{number}",
                Account(f"pool-{number}", "", account.organization),
                issuer=ISSUER,
                subject=SUBJECT if self._subject == "file" else f"client-{number}",
                audience=AUDIENCE,
            )
            for number, account in enumerate(self.accounts)
        ]
        self.write_token(lifetime=86_400)
        self.write_secret(CLIENT_SECRET)
        return Simulator(
            [],
            clock=self.clock,
            identity_providers=[self.provider],
            pools=self.pools,
            **settings,
        )

    def credentials(self, number: int) -> str:
        if self._subject == "file":
            return f"{{identity_pool: pool-{number}, token_file: {self.folder}/token}}"
        oauth = (
            f"{{token_url: {URL}{IDENTITY_PROVIDER_PATH}, client_id: client-{number},"
            f" client_secret_file: {self.folder}/secret}}"
        )
        return f"{{identity_pool: pool-{number}, oauth: {oauth}}}"

    def write_token(self, *, lifetime: int = 3600) -> None:
        """Replace the token file, as a kubelet does."""
        (self.folder / "token").write_text(
            self.provider.token(subject=SUBJECT, lifetime=lifetime) + "\n"
        )

    def write_secret(self, secret: str) -> None:
        (self.folder / "secret").write_text(secret)

    def count(self, path: str) -> int:
        """Return the number of requests to ``path``."""
        return sum(request.path == path for request in self.simulator.requests)

    @property
    def exchanges(self) -> int:
        return self.count(STS_PATH)

    @property
    def logins(self) -> int:
        return self.count(IDENTITY_PROVIDER_PATH)

    def statuses(self, path: str = API_KEYS) -> list[int | None]:
        return [request.status for request in self.simulator.requests if request.path == path]
