"""The commands ``run`` and ``schema``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from exporter import config
from exporter.app import Exporter
from exporter.cli import threads
from exporter.cli.configuration import load_config
from exporter.cli.output import print_output
from exporter.cli.serving import WebOptions, serve_until_stopped
from exporter.clock import SystemClock
from exporter.escaping import escaped

if TYPE_CHECKING:
    import argparse

    from exporter.config import Config

__all__ = ["run", "schema"]

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""

    def load() -> Config:
        loaded = load_config(options.config_file)
        _warn_about_unjudged_policies(loaded)
        return loaded

    loaded = load()
    if options.config_check:
        print_output(escaped(f"{options.config_file}: valid, {_organizations(loaded)}"))
        return 0
    exporter = Exporter(loaded, clock=SystemClock())
    threads.run(
        serve_until_stopped(
            exporter,
            WebOptions(
                addresses=options.web_listen_addresses or [options.web_default_address],
                telemetry_path=options.web_telemetry_path,
                probe_addresses=options.web_probe_addresses,
                systemd_socket=options.web_systemd_socket,
                lifecycle=options.web_lifecycle,
                inventory=options.web_inventory,
            ),
            load=load,
        )
    )
    return 0


def schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of the configuration."""
    del options
    print_output(json.dumps(config.json_schema(), indent=2, ensure_ascii=False))
    return 0


def _warn_about_unjudged_policies(loaded: Config) -> None:
    for each in loaded.organizations:
        if each.policy.unknown_owner and not each.names.enabled:
            log.warning(
                "the policy unknown_owner is not judged, because names are disabled; set"
                " `names.enabled: true` or `policy.unknown_owner: false`",
                organization=each.name,
            )


def _organizations(loaded: Config) -> str:
    count = len(loaded.organizations)
    return f"{count} organization" + ("" if count == 1 else "s")
