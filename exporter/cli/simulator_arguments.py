"""The flags of ``demo`` and ``simulate``."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli import argument_types as types

if TYPE_CHECKING:
    import argparse


def add_organization_flags(parser: argparse.ArgumentParser, *, speed: float) -> None:
    """Add what the simulated organization is like."""

    def number(flag: str, default: int | None, text: str, *, least: int = 0) -> None:
        shown = "it follows from --keys" if default is None else default
        parser.add_argument(
            flag,
            type=partial(types.count, least=least),
            default=default,
            metavar="N",
            help=f"{text} Default: {shown}",
        )

    number("--keys", 1200, "Keys at the start.")
    number("--owners", None, "Service accounts and users, two to one.", least=1)
    number("--clusters", None, "Kafka clusters.", least=1)
    number("--environments", None, "Environments.", least=1)
    number("--seed", 1, "The same seed gives the same organization.")
    parser.add_argument(
        "--speed",
        type=types.speed,
        default=speed,
        metavar="FACTOR",
        help="Simulated seconds per second, for how often keys are created, rotated and deleted;"
        " 0 for never. Default: %(default)s",
    )
    parser.set_defaults(faults=[])


def add_simulator_flags(parser: argparse.ArgumentParser) -> None:
    """Add how the simulated API behaves."""
    parser.add_argument(
        "--rate-limit",
        type=types.rate_limit,
        default="120/60s",
        metavar="REQUESTS/WINDOW",
        help="What each organization may spend per window, or none. Default: %(default)s",
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        type=types.fault,
        metavar="SPEC",
        help="Let requests fail; may be repeated. SPEC is NAME[:ARGUMENT][:PROBABILITY], such as"
        " 429:0.1 or slow:2s:0.1; without a probability every request is struck.",
    )


def _fault_help(fault: tuple[str, str]) -> str:
    name, text = fault
    return textwrap.fill(
        f"{name:<16} {text}", width=79, initial_indent="  ", subsequent_indent=" " * 19
    )


def faults_help() -> str:
    """Return the faults of ``--fault``, one a line, and how to write them."""
    from exporter.simulator import FAULT_GRAMMAR, FAULTS  # noqa: PLC0415 # for its own commands

    return "\n".join(["faults:", *map(_fault_help, FAULTS.items()), "", FAULT_GRAMMAR])
