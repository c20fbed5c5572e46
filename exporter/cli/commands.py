"""The commands ``run`` and ``schema``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from exporter import config
from exporter.app import Exporter
from exporter.cli import threads
from exporter.cli.configuration import load_config, load_configs, open_web_config
from exporter.cli.exposure import check_exposure
from exporter.cli.listening import listening
from exporter.cli.output import print_output
from exporter.cli.serving import WebOptions, serve_until_stopped
from exporter.cli.shard_flags import shard_of_process
from exporter.clock import SystemClock
from exporter.escaping import escaped

if TYPE_CHECKING:
    import argparse

    from exporter.config import Config

__all__ = ["run", "schema"]

log = structlog.get_logger(__name__)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    shard = shard_of_process(options)

    def load() -> Config:
        loaded = load_config(options.config_file, shard=shard)
        _warn_about_unevaluated_policies(loaded)
        return loaded

    loaded, web_settings = load_configs(load, options.web_config_file)
    web_config = web_settings.settings.config
    if options.config_check:
        print_output(escaped(f"{options.config_file}: valid, {loaded.describe_size()}"))
        if options.web_config_file is not None:
            print_output(escaped(f"{options.web_config_file}: valid, {web_config.describe()}"))
        return 0
    with listening(options) as listeners:
        check_exposure(
            listeners.main,
            web_config,
            lifecycle=options.web_lifecycle,
            inventory=options.web_inventory,
        )
        exporter = Exporter(
            loaded,
            clock=SystemClock(),
            web_config_file=options.web_config_file is not None,
            keys_url=_keys_url(options),
        )
        web = WebOptions(
            telemetry_path=options.web_telemetry_path,
            lifecycle=options.web_lifecycle,
            inventory=options.web_inventory,
            config_file=open_web_config(
                options.web_config_file,
                web_settings,
                exporter,
                require_authentication=options.web_inventory and web_config.authenticates,
            ),
        )
        threads.run(serve_until_stopped(exporter, web, listeners, load=load))
    return 0


def _keys_url(options: argparse.Namespace) -> str | None:
    """Return the URL of the page of API keys; None if it is not served or its URL is unknown."""
    url = options.web_external_url
    return f"{url}/keys" if options.web_inventory and url is not None else None


def schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of the configuration."""
    del options
    print_output(json.dumps(config.json_schema(), indent=2, ensure_ascii=False))
    return 0


def _warn_about_unevaluated_policies(loaded: Config) -> None:
    for each in loaded.organizations:
        if each.policy.unknown_owner and not each.names.enabled:
            log.warning(
                "the policy unknown_owner is not evaluated, because names are disabled; set"
                " `names.enabled: true` or `policy.unknown_owner: false`",
                organization=each.name,
            )
