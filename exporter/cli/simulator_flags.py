"""The flags of ``demo`` and ``simulate``."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli import argument_types as types

if TYPE_CHECKING:
    import argparse


def add_organization_flags(parser: argparse.ArgumentParser, *, speed: float) -> None:
    """Add the flags that describe the simulated organization."""

    def number(flag: str, default: int | None, text: str, *, minimum: int = 0) -> None:
        shown = "derived from --keys" if default is None else default
        parser.add_argument(
            flag,
            type=partial(types.count, minimum=minimum),
            default=default,
            metavar="N",
            help=f"{text} Default: {shown}",
        )

    number("--keys", 1200, "Number of API keys at the start.")
    number(
        "--owners", None, "Number of owners, about two thirds of them service accounts.", minimum=1
    )
    number("--clusters", None, "Number of Kafka clusters.", minimum=1)
    number("--environments", None, "Number of environments.", minimum=1)
    number("--seed", 1, "Random seed. The same seed creates the same organization.")
    parser.add_argument(
        "--speed",
        type=types.speed,
        default=speed,
        metavar="FACTOR",
        help="Simulated seconds per second, for the creation, rotation and deletion of keys. 0"
        " disables them. Default: %(default)s",
    )
    parser.add_argument(
        "--rotation",
        type=types.machines,
        default=(),
        metavar="MACHINES",
        help="Machines that create and delete keys all day: secrets-manager rotates the keys of"
        " sa-rotat1 to sa-rotat3, leases creates keys of sa-lease1 and sa-lease2 for an hour or so."
        " Separate them by a comma. Default: none",
    )
    parser.set_defaults(faults=[])


def add_keyless_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag of ``demo`` that chooses the kind of credentials."""
    parser.add_argument(
        "--keyless",
        action="store_true",
        help="Use identity pools instead of API keys: one organization with a token file, one with"
        " OAuth client credentials.",
    )


def add_api_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that describe the simulated API."""
    parser.add_argument(
        "--rate-limit",
        type=types.rate_limit,
        default="120/60s",
        metavar="REQUESTS/WINDOW",
        help="Rate limit of each organization, or none. Default: %(default)s",
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        type=types.fault,
        metavar="SPEC",
        help="Inject a fault into requests. May be repeated. SPEC is described below.",
    )


def faults_help() -> str:
    """Return the help about ``--fault``: a line for each fault, and the syntax of a SPEC."""
    from exporter.simulator import FAULT_GRAMMAR, FAULTS  # noqa: PLC0415 # only for `simulate`

    def line(name: str, text: str) -> str:
        return textwrap.fill(
            f"{name:<16} {text}",
            width=79,
            initial_indent="  ",
            subsequent_indent=" " * 19,
        )

    faults = [line(name, text) for name, text in FAULTS.items()]
    return "\n".join(["faults:", *faults, "", FAULT_GRAMMAR])
