"""``run`` and ``schema``; the functions are named after the commands."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from exporter import config
from exporter.app import Exporter
from exporter.cli.serving import serve_until_told
from exporter.clock import SystemClock

if TYPE_CHECKING:
    import argparse

    from exporter.config import Config

__all__ = ["run", "schema"]


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""

    def load() -> Config:
        return config.load(options.config_file, environ=os.environ)

    loaded = load()
    if options.config_check:
        print(f"{options.config_file}: valid, {_organizations(loaded)}")
        return 0
    exporter = Exporter(loaded, clock=SystemClock())
    asyncio.run(
        serve_until_told(
            exporter,
            addresses=options.web_listen_addresses or [options.web_default_address],
            telemetry_path=options.web_telemetry_path,
            load=load,
        )
    )
    return 0


def schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of the configuration."""
    del options
    print(json.dumps(config.json_schema(), indent=2, ensure_ascii=False))
    return 0


def _organizations(loaded: Config) -> str:
    count = len(loaded.organizations)
    return f"{count} organization" + ("" if count == 1 else "s")
