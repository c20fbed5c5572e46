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

REPORT_EPILOG = f"""\
A key must match every filter. PATTERN is a shell-style pattern with *, ? and
[…], and is case-sensitive. `*` matches any value, but not a missing one.

{
    textwrap.fill(
        f"policies: {', '.join(POLICIES)}", width=79, subsequent_indent=" " * len("policies: ")
    )
}
"""


def add_report_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``report``, except those that other commands also have."""
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json"),
        default="table",
        help="Output format. Default: %(default)s",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="Write to FILE instead of standard output. A regular file is replaced atomically.",
    )
    _add_list(
        parser,
        "--organization",
        _entries,
        "Only organizations whose name matches. Others are not queried.",
    )
    _add_list(parser, "--policy", _policies, "Only keys that violate one of these policies.")
    _add_list(parser, "--owner", _entries, "Only keys whose owner's id or name matches.")
    _add_list(parser, "--team", _entries, "Only keys whose owner's team matches.")
    _add_list(parser, "--resource", _entries, "Only keys for a resource whose id or name matches.")
    _add_list(
        parser,
        "--environment",
        _entries,
        "Only keys for a resource in an environment whose id or name matches.",
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
        "Exit with 1 if a key violates one of these policies, even if --policy hides the key.",
    )
    parser.add_argument(
        "--fail-on-empty",
        action="store_true",
        help="Exit with 1 if no key matches the filters. --policy does not count as a filter.",
    )


def _add_list(
    parser: argparse.ArgumentParser, flag: str, entries: Callable[[str], Sequence[str]], text: str
) -> None:
    entry = "POLICY" if entries is _policies else "PATTERN"
    parser.add_argument(
        flag,
        action="extend",
        type=entries,
        default=[],
        metavar=f"{entry}[,…]",
        help=f"{text} May be repeated.",
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
            raise argparse.ArgumentTypeError(
                f"{entry!r} is not a policy. Expected one of {', '.join(POLICIES)}"
            )
    return entries
