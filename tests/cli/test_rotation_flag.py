"""The machines that ``--rotation`` adds to ``demo`` and ``simulate``."""

from __future__ import annotations

import pytest

from exporter.cli import arguments
from exporter.cli.simulation import ADMIN, simulation
from exporter.simulator import MACHINES
from tests.simulator.helpers import client_of


@pytest.mark.parametrize("command", ["demo", "simulate"])
@pytest.mark.parametrize(
    ("flag", "names"),
    [
        ((), set()),
        (("--rotation=leases",), {"leases"}),
        (("--rotation=secrets-manager,leases",), {"secrets-manager", "leases"}),
    ],
)
async def test_the_chosen_machines_have_keys(
    command: str, flag: tuple[str, ...], names: set[str]
) -> None:
    options = arguments.parse([command, "--keys=40", *flag])
    async with client_of(simulation(options, rate_limit="none").simulator, *ADMIN) as client:
        found = {
            name
            for name, owners in MACHINES.items()
            for owner in owners
            if (await client.get("/iam/v2/api-keys", params={"spec.owner": owner})).json()["data"]
        }
    assert found == names
