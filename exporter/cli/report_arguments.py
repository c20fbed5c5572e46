"""The flags of ``report``."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.argument_types import duration
from exporter.inventory import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POLICIES_HELP = textwrap.fill(
    f"policies: {', '.join(POLICIES)}", width=79, subsequent_indent=" " * len("policies: ")
)


def add_report_flags(parser: argparse.ArgumentParser) -> None:
    """Add what ``report`` takes besides the configuration."""
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json"),
        default="table",
        help="What to write. Default: %(default)s",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="Write to FILE instead of standard output. A regular file is replaced in one step.",
    )
    _add_list(parser, "--organization", _entries, "Ask only organizations whose name matches.")
    _add_list(parser, "--policy", _policies, "Only keys that violate one of these policies.")
    _add_list(parser, "--owner", _entries, "Only keys whose owner's id or name matches.")
    _add_list(parser, "--resource", _entries, "Only keys for a resource whose id or name matches.")
    _add_list(
        parser,
        "--environment",
        _entries,
        "Only keys for a resource in an environment that matches.",
    )
    for flag, text in (("--min-age", "at least"), ("--max-age", "at most")):
        parser.add_argument(
            flag,
            type=duration,
            metavar="DURATION",
            help=f"Only keys that are {text} this old, such as 90d.",
        )
    _add_list(
        parser,
        "--fail-on",
        _policies,
        "Exit with 1 if any of the keys violates one of these policies, shown by --policy or not.",
    )
    parser.add_argument(
        "--fail-on-empty",
        action="store_true",
        help="Exit with 1 if no key matches the filters. Does not look at --policy.",
    )


def _add_list(
    parser: argparse.ArgumentParser, flag: str, entries: Callable[[str], Sequence[str]], text: str
) -> None:
    what = "POLICY" if entries is _policies else "PATTERN"
    more = "" if entries is _policies else " The wildcards are the shell's."
    parser.add_argument(
        flag,
        action="extend",
        type=entries,
        default=[],
        metavar=f"{what}[,…]",
        help=f"{text}{more} May be repeated.",
    )


def _entries(text: str) -> Sequence[str]:
    entries = [entry.strip() for entry in text.split(",")]
    if not all(entries):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty entry")
    return entries


def _policies(text: str) -> Sequence[str]:
    entries = _entries(text)
    for entry in entries:
        if entry not in POLICIES:
            known = ", ".join(POLICIES)
            raise argparse.ArgumentTypeError(f"{entry!r} is not a policy; there are {known}")
    return entries
