"""The simulated organizations of ``demo`` and ``simulate``, and their credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.clock import SystemClock
from exporter.simulator import (
    CLOUD,
    Account,
    IdentityPool,
    IdentityProvider,
    Lifecycle,
    Rotation,
    SimulatedKey,
    SimulatedOwner,
    SimulatedServiceAccount,
    Simulator,
    machine_of,
    parse_rate_limit,
    seeded_organization,
)

if TYPE_CHECKING:
    import argparse

# Valid only for the simulator. Their length shows that they are not real secrets.
ADMIN = ("SIMULATEDADMIN01", "simulated-secret-of-an-organization-admin")
OWNER = "sa-exprtr"
WITHOUT_ROLE = ("SIMULATEDNOROLE1", "simulated-secret-of-somebody-without-a-role")
CLIENT = ("simulated-client", "simulated-secret-of-an-oauth-client")
ADMIN_POOL = "pool-exprtr"
POOL_WITHOUT_ROLE = "pool-norole"
_ISSUER = "https://identity-provider.example.com"
_AUDIENCE = "confluent-cloud"


@dataclass(frozen=True)
class Simulation:
    """A simulator, and the identity provider whose tokens its identity pools accept."""

    simulator: Simulator
    provider: IdentityProvider


def simulation(
    options: argparse.Namespace, *, rate_limit: str, api_keys: bool = True
) -> Simulation:
    """Return a simulator of two organizations, one of which grants no role.

    Without ``api_keys``, it accepts only the tokens of identity pools.
    """
    clock = SystemClock()
    own_key = api_keys and options.keys > 0
    organization = seeded_organization(
        seed=options.seed,
        keys=options.keys - own_key,
        owners=options.owners,
        clusters=options.clusters,
        environments=options.environments,
        now=clock.wall(),
    )
    if own_key:
        organization.add(_exporter_key(clock.wall()))
        organization.add(SimulatedServiceAccount(OWNER, "api-keys-exporter"))
    other = seeded_organization(seed=options.seed + 1, keys=0, now=clock.wall())
    admin, without_role = Account(*ADMIN, organization), Account(*WITHOUT_ROLE, other, role="none")
    provider = IdentityProvider(
        issuer=_ISSUER, clients=dict([CLIENT]), audience=_AUDIENCE, clock=clock
    )
    protected = {ADMIN[0]}
    machines = [
        Rotation(
            organization,
            machine_of(name, organization),
            seed=options.seed,
            speed=options.speed,
            current=protected,
        )
        for name in options.rotation
    ]
    simulator = Simulator(
        [admin, without_role] if api_keys else [],
        clock=clock,
        seed=options.seed,
        rate_limit=None if rate_limit == "none" else parse_rate_limit(rate_limit),
        faults=options.faults,
        lifecycles=[
            Lifecycle(organization, seed=options.seed, speed=options.speed, protected=protected),
            *machines,
        ],
        identity_providers=[provider],
        pools=[
            IdentityPool(ADMIN_POOL, admin, _ISSUER, audience=_AUDIENCE),
            IdentityPool(POOL_WITHOUT_ROLE, without_role, _ISSUER, audience=_AUDIENCE),
        ],
    )
    return Simulation(simulator, provider)


def _exporter_key(now: float) -> SimulatedKey:
    """Return the API key of the exporter itself, which a real listing also contains."""
    return SimulatedKey(
        id=ADMIN[0],
        owner=SimulatedOwner(OWNER, "service-account"),
        resources=(CLOUD,),
        created_at=round(now - 30 * 86_400, 6),
        display_name="api-keys-exporter",
        description="confluent-api-keys-exporter",
    )
