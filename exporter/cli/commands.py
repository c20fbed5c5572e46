"""What the commands do that ask the API; the functions are named as the commands are."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from exporter import config
from exporter.app import Exporter
from exporter.cli import threads
from exporter.cli.describing import describe
from exporter.cli.files import replacing
from exporter.cli.serving import serve_until_told
from exporter.cli.signals import kept_from_new_threads, run_to_its_answer
from exporter.clock import SystemClock
from exporter.exposition import Format

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from exporter.config import Config

__all__ = ["check", "once", "run", "schema"]


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""

    def load() -> Config:
        return _load(options)

    loaded = load()
    if options.config_check:
        print(f"{options.config_file}: valid, {_organizations(loaded)}")
        return 0
    exporter = Exporter(loaded, clock=SystemClock())
    threads.run(
        serve_until_told(
            exporter,
            addresses=options.web_listen_addresses or [options.web_default_address],
            telemetry_path=options.web_telemetry_path,
            load=load,
        )
    )
    return 0


def once(options: argparse.Namespace) -> int:
    """Print the metrics of one refresh; 1 if an organization failed, after printing the others."""
    exporter = Exporter(_load(options), clock=SystemClock(), process_metrics=False)

    async def refresh() -> bytes:
        try:
            await exporter.refresh_once()
            return exporter.exposition.scrape(Format.TEXT, gzip=False)
        finally:
            await exporter.aclose()

    with (
        _progress("Listing API keys …"),
        nullcontext(sys.stdout.buffer)
        if options.output is None
        else replacing(options.output) as file,
    ):
        file.write(run_to_its_answer(refresh()))
    return _code(exporter)


def check(options: argparse.Namespace) -> int:
    """Print what each organization's credentials see; 1 if those of any do not work."""
    exporter = Exporter(_load(options), clock=SystemClock(), process_metrics=False)

    async def look() -> None:
        try:
            await exporter.refresh_once()
        finally:
            await exporter.aclose()

    # What goes wrong is said below, once; that it takes a while is said meanwhile.
    logging.getLogger("exporter.refresh").setLevel(logging.CRITICAL)
    with _progress("Asking the API …"):
        run_to_its_answer(look())
    for (organization, _), state in zip(exporter.clients(), exporter.states(), strict=True):
        for line in describe(organization, state):
            print(line)
    return _code(exporter)


def _code(exporter: Exporter) -> int:
    """Return 1 if the keys of any organization could not be listed; the rest is less."""
    failed = any(not state.collectors["api_keys"].up for state in exporter.states())
    return 1 if failed else 0


def schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of the configuration."""
    del options
    print(json.dumps(config.json_schema(), indent=2, ensure_ascii=False))
    return 0


def _load(options: argparse.Namespace) -> Config:
    return config.load(options.config_file, environ=os.environ)


def _organizations(loaded: Config) -> str:
    count = len(loaded.organizations)
    return f"{count} organization" + ("" if count == 1 else "s")


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """Show ``text`` on standard error while the context is open, if that is a terminal."""
    from rich.console import Console  # noqa: PLC0415 # what serves has no use for it

    status = Console(stderr=True).status(text)
    with kept_from_new_threads():
        status.start()
    try:
        yield
    finally:
        status.stop()
