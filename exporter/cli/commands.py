"""What each command does; the functions are named as the commands are."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from rich.console import Console

from exporter import config
from exporter.app import Exporter
from exporter.cli.demo import demo, simulate
from exporter.cli.files import replacing
from exporter.cli.serving import serve_until_told
from exporter.cli.signals import run_to_its_answer
from exporter.clock import SystemClock
from exporter.errors import ApiError, CredentialsError
from exporter.exposition import Format
from exporter.inventory import fold
from exporter.refresh.api_keys import list_keys
from exporter.refresh.state import failure_from

if TYPE_CHECKING:
    import argparse

    from rich.status import Status

    from exporter.config import Config, Organization
    from exporter.confluent.client import Client
    from exporter.refresh.api_keys import KeyListing

__all__ = ["check", "demo", "once", "run", "schema", "simulate"]


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""

    def load() -> Config:
        return _load(options)

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
    failed = any(not one.up for state in exporter.states() for one in state.collectors.values())
    return 1 if failed else 0


def check(options: argparse.Namespace) -> int:
    """Print a line for each organization; 1 if the credentials of any do not work."""
    exporter = Exporter(_load(options), clock=SystemClock(), process_metrics=False)

    async def look() -> list[tuple[str, bool]]:
        try:
            return await asyncio.gather(*(_look(*each) for each in exporter.clients()))
        finally:
            await exporter.aclose()

    with _progress("Asking the API …"):
        found = run_to_its_answer(look())
    for (organization, _), (text, _) in zip(exporter.clients(), found, strict=True):
        print(f"{organization.name}: {text}")
    return 1 if any(failed for _, failed in found) else 0


async def _look(organization: Organization, client: Client) -> tuple[str, bool]:
    """Return what the credentials see, or why they see nothing, and whether that is a failure."""
    try:
        budget = client.budget()
        api_key, _ = organization.credentials.read()
        listing = await list_keys(client, organization.filters, budget)
    except (ApiError, CredentialsError) as error:
        return f"failed ({error.reason}): {failure_from(error)}", True
    return f"ok: {_what_is_seen(organization, listing, api_key=api_key)}", False


def _what_is_seen(organization: Organization, listing: KeyListing, *, api_key: str) -> str:
    inventory = fold(listing.keys, max_pairs=organization.max_pairs)
    owners = ", ".join(f"{count} {kind}" for kind, count in inventory.owners_by_kind.items())
    own = any(key.id == api_key for key in listing.keys)
    seen = (
        f"{inventory.total} keys of {len(inventory.owners)} owners ({owners or 'none'})"
        f" for {len(inventory.resources)} resources; own key {'seen' if own else 'not seen'}"
    )
    filters = organization.filters
    if not inventory.total and (filters.owners or filters.resources):
        return f"{seen}: nothing matches the filters; ids look like sa-…, u-…, lkc-… or cloud"
    if own or filters.owners or filters.resources:
        return seen
    return (
        f"{seen}: the role may hide keys. Only OrganizationAdmin on the whole organization is known"
        " to see all of them"
    )


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


def _progress(text: str) -> Status:
    """Show ``text`` on standard error while the context is open, if that is a terminal."""
    return Console(stderr=True).status(text)
