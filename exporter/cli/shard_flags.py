"""The flags that select a shard: the organizations of one of several exporters."""

from __future__ import annotations

import re
import socket
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli.argument_types import count
from exporter.config import UNSHARDED, Shard
from exporter.errors import StartUpError

if TYPE_CHECKING:
    import argparse


def add_shard_flags(parser: argparse.ArgumentParser, *, from_host_name: bool) -> None:
    """Add ``--shard`` and ``--total-shards``.

    ``from_host_name``: whether the command takes the shard from the host name by default; otherwise
    it covers all organizations.
    """
    default = (
        "with several shards, the number after the last `-` of the host name, as in the pods of a"
        " StatefulSet"
        if from_host_name
        else "all organizations"
    )
    parser.add_argument(
        "--shard",
        type=partial(count, minimum=0),
        metavar="N",
        help="Use only the organizations of this shard, from 0, and do not read the secrets of"
        f" others. Default: {default}",
    )
    parser.add_argument(
        "--total-shards",
        dest="total_shards",
        type=partial(count, minimum=1),
        metavar="N",
        help="Number of shards that share the organizations. Default: 1",
    )


def shard_problem(options: argparse.Namespace) -> str:
    """Return why the flags of :func:`add_shard_flags` are invalid; empty if they are not."""
    shard, total = options.shard, options.total_shards
    if shard is None:
        return ""
    # Also for 0: a shard without its total would use the organizations of all shards.
    if total is None:
        return (
            f"--shard={shard} needs --total-shards, the number of shards; expected {shard + 1} or"
            " more"
        )
    if shard < total:
        return ""
    expected = "0, the only shard" if total == 1 else f"a number from 0 to {total - 1}"
    return f"--shard={shard} is too high for --total-shards={total}; expected {expected}"


def selected_shard(options: argparse.Namespace) -> Shard:
    """Return the shard of ``--shard``; without the flag, all organizations."""
    return UNSHARDED if options.shard is None else Shard(options.shard, options.total_shards)


def shard_of_process(options: argparse.Namespace) -> Shard:
    """Return the shard of ``--shard``, or the one that the host name ends with.

    Raises :class:`~exporter.errors.StartUpError` if neither is a shard.
    """
    total = options.total_shards
    if options.shard is not None or total in {None, 1}:
        return selected_shard(options)
    host = socket.gethostname().partition(".")[0]
    found = re.search(r"-([0-9]{1,9})$", host)
    if found is None:
        raise StartUpError(
            f"--total-shards={total} without --shard: the host name `{host}` does not end with `-`"
            f" and a number. Set --shard to a number from 0 to {total - 1}"
        )
    ordinal = int(found[1])
    if ordinal >= total:
        raise StartUpError(
            f"--total-shards={total} without --shard: the number at the end of the host name"
            f" `{host}` is too high. Expected 0 to {total - 1}. Raise --total-shards, remove this"
            " replica, or set --shard"
        )
    return Shard(ordinal, total)
