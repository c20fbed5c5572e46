"""``demo`` and ``simulate``: a simulated Confluent Cloud, for trials and tests."""

from __future__ import annotations

import contextlib
import tempfile
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
from exporter.cli.simulation import (
    ADMIN,
    ADMIN_POOL,
    CLIENT,
    OWNER,
    POOL_WITHOUT_ROLE,
    WITHOUT_ROLE,
    simulation,
)
from exporter.cli.token_file import renewed_token_file
from exporter.clock import SystemClock
from exporter.escaping import escaped
from exporter.simulator import IDENTITY_PROVIDER_PATH
from exporter.web import bind, serve
from exporter.web.sockets import url_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from exporter.cli.listening import Listeners

_DEMO_RATE_LIMIT = "120/60s"
_DEFAULTS = """\
defaults:
  url: {url}
  refresh_interval: 30s
  usage: {{enabled: true, url: {url}}}
  policy: {{unused_for: 3d}}
teams:
  - {{name: payments, owners: ["sa-0*", "sa-1*", "sa-2*", "sa-3*"]}}
  - {{name: analytics, owners: ["sa-a*", "sa-b*", "sa-c*", "sa-d*"]}}
  - {{name: platform, owners: [{owner}, "sa-e*", "sa-g*", "sa-h*"]}}
"""
"""The ids of owners are random, so some owners match for any seed.

The simulated requests to Kafka clusters begin weeks in the past and continue in real time. Only the
creation, rotation and deletion of keys is faster, and new keys are too young to be unused.
"""
_DEMO_CONFIG = (
    _DEFAULTS
    + """\
organizations:
  - name: acme
    credentials: {{api_key_env: ADMIN_KEY, api_secret_env: ADMIN_SECRET}}
  - name: globex-without-role
    credentials: {{api_key_env: OTHER_KEY, api_secret_env: OTHER_SECRET}}
"""
)
_KEYLESS_CONFIG = (
    _DEFAULTS
    + """\
organizations:
  - name: acme
    credentials: {{identity_pool: {pool}, token_file: token}}
  - name: globex-without-role
    credentials:
      identity_pool: {pool_without_role}
      oauth: {{token_url: {token_url}, client_id: {client_id}, client_secret_env: CLIENT_SECRET}}
"""
)
_DEMO_ENVIRONMENT = {
    "ADMIN_KEY": ADMIN[0],
    "ADMIN_SECRET": ADMIN[1],
    "OTHER_KEY": WITHOUT_ROLE[0],
    "OTHER_SECRET": WITHOUT_ROLE[1],
    "CLIENT_SECRET": CLIENT[1],
}
_SUBJECT = "system:serviceaccount:monitoring:api-keys-exporter"
_WITH_API_KEYS = "Two organizations: acme is healthy, globex-without-role lacks a role."
_KEYLESS = """\
Two organizations, both without an API key. acme exchanges the token in the
file, which is replaced every 8 minutes, as the kubelet does.
globex-without-role exchanges tokens that an identity provider issues for a
client secret. Its identity pool lacks a role."""


def demo(options: argparse.Namespace) -> int:
    """Serve the exporter with a simulated Confluent Cloud until SIGTERM or SIGINT."""
    with contextlib.ExitStack() as stack:
        listeners = stack.enter_context(listening(options))
        folder = (
            stack.enter_context(tempfile.TemporaryDirectory(prefix="keyless-demo-"))
            if options.keyless
            else ""
        )
        threads.run(_demo(options, listeners, Path(folder)))
    return 0


async def _demo(options: argparse.Namespace, listeners: Listeners, folder: Path) -> None:
    keyless: bool = options.keyless
    clock = SystemClock()
    simulated = simulation(options, rate_limit=_DEMO_RATE_LIMIT, api_keys=not keyless)
    sockets = bind(["127.0.0.1:0"])
    url = url_of(sockets[0])
    async with (
        renewed_token_file(
            folder / "token",
            lambda seconds: simulated.provider.token(subject=_SUBJECT, lifetime=seconds),
            clock=clock,
        )
        if keyless
        else contextlib.nullcontext()
    ):
        settings, web_settings = load_configs(
            lambda: config.parse(
                _configuration(url, keyless=keyless),
                file="demo",
                folder=folder,
                environ=_DEMO_ENVIRONMENT,
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
            lines = {
                "status page": f"{urls[0]}/",
                "metrics": f"{urls[0]}{options.web_telemetry_path}",
                **({"API keys": f"{urls[0]}/keys"} if inventory else {}),
                "simulated API": f"{url}/iam/v2/api-keys",
                **(
                    {"token file": escaped(str(folder / "token"))}
                    if keyless
                    else {"admin login": f"curl -u {ADMIN[0]}:{ADMIN[1]}"}
                ),
            }
            print_output(_announcement(lines, _KEYLESS if keyless else _WITH_API_KEYS))

        exporter = Exporter(
            settings,
            clock=clock,
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
        async with serve(simulated.simulator, sockets, reads_bodies=True):
            await serve_until_stopped(exporter, web, listeners, on_listening=on_listening)


def _announcement(lines: Mapping[str, str], organizations: str) -> str:
    """Return what ``demo`` prints when it listens: addresses by name, and its organizations."""
    return (
        "A simulated Confluent Cloud and its exporter are running; press Ctrl-C to stop both.\n\n"
        + "".join(f"  {name:<15}{text}\n" for name, text in lines.items())
        + f"\n{organizations}"
    )


def _configuration(url: str, *, keyless: bool) -> str:
    """Return the configuration of the demo, with the simulator at ``url``."""
    if not keyless:
        return _DEMO_CONFIG.format(url=url, owner=OWNER)
    return _KEYLESS_CONFIG.format(
        url=url,
        owner=OWNER,
        pool=ADMIN_POOL,
        pool_without_role=POOL_WITHOUT_ROLE,
        token_url=url + IDENTITY_PROVIDER_PATH,
        client_id=CLIENT[0],
    )


def simulate(options: argparse.Namespace) -> int:
    """Serve the simulated API until SIGTERM or SIGINT."""
    threads.run(_simulate(options))
    return 0


async def _simulate(options: argparse.Namespace) -> None:
    sockets = bind(options.web_listen_addresses or [options.web_default_address])
    url = url_of(sockets[0])
    simulator = simulation(options, rate_limit=options.rate_limit).simulator
    async with stop_event() as stop, serve(simulator, sockets, reads_bodies=True):
        print_output(
            f"A simulated Confluent Cloud listens on {url}; press Ctrl-C to stop it.\n\n"
            "Settings for the exporter's configuration:\n\n"
            f"  url: {url}\n"
            f"  usage: {{enabled: true, url: {url}}}  # optional\n\n"
            "Credentials of an OrganizationAdmin:\n\n"
            f"  export CONFLUENT_CLOUD_API_KEY={ADMIN[0]}\n"
            f"  export CONFLUENT_CLOUD_API_SECRET={ADMIN[1]}\n\n"
            f"Credentials without a role: {WITHOUT_ROLE[0]}, {WITHOUT_ROLE[1]}\n\n"
            "Or, without an API key, the credentials of an identity pool:\n\n"
            f"  export CLIENT_SECRET={CLIENT[1]}\n\n"
            "  credentials:\n"
            f"    identity_pool: {ADMIN_POOL}\n"
            "    oauth:\n"
            f"      token_url: {url}{IDENTITY_PROVIDER_PATH}\n"
            f"      client_id: {CLIENT[0]}\n"
            "      client_secret_env: CLIENT_SECRET\n\n"
            f"Identity pool without a role: {POOL_WITHOUT_ROLE}"
        )
        await stop.wait()
