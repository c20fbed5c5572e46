"""``demo`` and ``simulate``: a simulated Confluent Cloud, for trials and tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter import config
from exporter.app import Exporter
from exporter.cli import threads
from exporter.cli.configuration import load_configs, open_web_config
from exporter.cli.exposure import check_exposure, is_protected
from exporter.cli.listening import listening
from exporter.cli.output import print_output
from exporter.cli.serving import WebOptions, serve_until_stopped
from exporter.cli.signals import stop_event
from exporter.clock import SystemClock
from exporter.simulator import (
    CLOUD,
    Account,
    Lifecycle,
    SimulatedKey,
    SimulatedOwner,
    SimulatedServiceAccount,
    Simulator,
    parse_rate_limit,
    seeded_organization,
)
from exporter.web import bind, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exporter.cli.listening import Listeners

# Valid only for the simulator. Their length shows that they are not real secrets.
ADMIN = ("SIMULATEDADMIN01", "simulated-secret-of-an-organization-admin")
OWNER = "sa-exprtr"
WITHOUT_ROLE = ("SIMULATEDNOROLE1", "simulated-secret-of-somebody-without-a-role")

_DEMO_RATE_LIMIT = "120/60s"
_DEMO_CONFIG = """\
defaults:
  url: {url}
  refresh_interval: 30s
organizations:
  - name: acme
    credentials: {{api_key_env: ADMIN_KEY, api_secret_env: ADMIN_SECRET}}
  - name: globex-without-role
    credentials: {{api_key_env: OTHER_KEY, api_secret_env: OTHER_SECRET}}
"""
_DEMO_ENVIRONMENT = {
    "ADMIN_KEY": ADMIN[0],
    "ADMIN_SECRET": ADMIN[1],
    "OTHER_KEY": WITHOUT_ROLE[0],
    "OTHER_SECRET": WITHOUT_ROLE[1],
}


def demo(options: argparse.Namespace) -> int:
    """Serve the exporter with a simulated Confluent Cloud until SIGTERM or SIGINT."""
    with listening(options) as listeners:
        threads.run(_demo(options, listeners))
    return 0


async def _demo(options: argparse.Namespace, listeners: Listeners) -> None:
    simulator = _simulator(options, rate_limit=_DEMO_RATE_LIMIT)
    sockets = bind(["127.0.0.1:0"])
    url = url_of(sockets[0])
    settings, web_settings = load_configs(
        lambda: config.parse(
            _DEMO_CONFIG.format(url=url), file="demo", folder=Path(), environ=_DEMO_ENVIRONMENT
        ),
        options.web_config_file,
    )
    web_config = web_settings.settings.config
    inventory = is_protected(listeners.main, web_config)
    check_exposure(listeners.main, web_config, inventory=inventory, lifecycle=False)
    external_url = options.web_external_url or url_of(
        listeners.main[0], tls=web_config.tls is not None
    )

    def on_listening(urls: Sequence[str]) -> None:
        path = options.web_telemetry_path
        print_output(
            "A simulated Confluent Cloud and its exporter are running; press Ctrl-C to stop"
            " both.\n\n"
            f"  status page    {urls[0]}/\n"
            f"  metrics        {urls[0]}{path}\n"
            + (f"  API keys       {urls[0]}/keys\n" if inventory else "")
            + f"  simulated API  {url}/iam/v2/api-keys\n"
            f"  admin login    curl -u {ADMIN[0]}:{ADMIN[1]}\n\n"
            "Two organizations: acme is healthy, globex-without-role lacks a role."
        )

    exporter = Exporter(
        settings,
        clock=SystemClock(),
        web_config_file=options.web_config_file is not None,
        keys_url=f"{external_url}/keys" if inventory else None,
    )
    web = WebOptions(
        telemetry_path=options.web_telemetry_path,
        inventory=inventory,
        config_file=open_web_config(
            options.web_config_file,
            web_settings,
            exporter,
            require_authentication=inventory and web_config.authenticates,
        ),
    )
    async with serve(simulator, sockets):
        await serve_until_stopped(exporter, web, listeners, on_listening=on_listening)


def simulate(options: argparse.Namespace) -> int:
    """Serve the simulated API until SIGTERM or SIGINT."""
    threads.run(_simulate(options))
    return 0


async def _simulate(options: argparse.Namespace) -> None:
    sockets = bind(options.web_listen_addresses or [options.web_default_address])
    url = url_of(sockets[0])
    simulator = _simulator(options, rate_limit=options.rate_limit)
    async with stop_event() as stop, serve(simulator, sockets):
        print_output(
            f"A simulated Confluent Cloud listens on {url}; press Ctrl-C to stop it.\n\n"
            f"Setting for the exporter's configuration:  url: {url}\n"
            "Credentials of an OrganizationAdmin:\n\n"
            f"  export CONFLUENT_CLOUD_API_KEY={ADMIN[0]}\n"
            f"  export CONFLUENT_CLOUD_API_SECRET={ADMIN[1]}\n\n"
            f"Credentials without a role: {WITHOUT_ROLE[0]}, {WITHOUT_ROLE[1]}"
        )
        await stop.wait()


def _simulator(options: argparse.Namespace, *, rate_limit: str) -> Simulator:
    clock = SystemClock()
    organization = seeded_organization(
        seed=options.seed,
        keys=max(0, options.keys - 1),
        owners=options.owners,
        clusters=options.clusters,
        environments=options.environments,
        now=clock.wall(),
    )
    if options.keys:
        organization.add(_exporter_key(clock.wall()))
        organization.add(SimulatedServiceAccount(OWNER, "api-keys-exporter"))
    other = seeded_organization(seed=options.seed + 1, keys=0, now=clock.wall())
    return Simulator(
        [Account(*ADMIN, organization), Account(*WITHOUT_ROLE, other, role="none")],
        clock=clock,
        seed=options.seed,
        rate_limit=None if rate_limit == "none" else parse_rate_limit(rate_limit),
        faults=options.faults,
        lifecycles=[
            Lifecycle(organization, seed=options.seed, speed=options.speed, protected={ADMIN[0]})
        ],
    )


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
