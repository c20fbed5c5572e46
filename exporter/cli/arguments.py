"""Parses the arguments of the process."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NoReturn

from exporter.cli.flags import DEFAULT_PORT, VERSION_FLAGS, build_parsers
from exporter.cli.shard_flags import shard_problem
from exporter.cli.simulator_flags import faults_help

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping, Sequence

    from exporter.cli.flags import Parser

__all__ = ["DEFAULT_PORT", "parse"]

_SINGLE_DASH = re.compile(r"-[a-z][a-z0-9.-]+(?:=.*)?", re.DOTALL)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options. Their ``command`` is ``run`` if the arguments do not name a command.

    Exits with 2 and a message for wrong usage, and with 0 for ``--help`` and ``--version``.
    """
    parser, commands = build_parsers()
    arguments = _with_two_dashes(
        arguments,
        {flag for each in (parser, *commands.values()) for flag in each.flags(hidden=True)},
    )
    first = arguments[0] if arguments else "-"
    if not first.startswith("-") and first not in commands:
        parser.error(_unknown_command(first, commands))
    if first.startswith("-") and first not in {"-h", "--help", *VERSION_FLAGS}:
        arguments = ["run", *arguments]
    if "simulate" in arguments[:2]:
        commands["simulate"].epilog = faults_help()
    options, unknown = parser.parse_known_args(arguments)
    command = commands[options.command]
    if unknown:
        flags = {name: each.flags() for name, each in commands.items()}
        command.error(_unknown_arguments(unknown, command=options.command, flags=flags))
    if options.command == "help":
        _print_help(options.topic, parser, commands)
    if "total_shards" in options and (problem := shard_problem(options)):
        command.error(problem)
    if options.command == "report":
        least, most = options.min_age or 0, options.max_age
        if most is not None and least > most:
            command.error("--min-age is greater than --max-age, so no key can match")
    if options.command == "run" and options.web_systemd_socket and options.web_listen_addresses:
        command.error(
            "--web.systemd-socket and --web.listen-address cannot be combined, because systemd"
            " binds the addresses of its .socket unit"
        )
    return options


def _print_help(topic: str | None, parser: Parser, commands: Mapping[str, Parser]) -> NoReturn:
    if topic is not None and topic not in commands:
        parser.error(_unknown_command(topic, commands))
    (commands[topic] if topic else parser).print_help()
    parser.exit()


def _with_two_dashes(arguments: Sequence[str], flags: Collection[str]) -> list[str]:
    """Return ``arguments`` with ``-config.file`` as ``--config.file``, which Go programs accept.

    ``flags``: the existing flags, with their dashes. Other arguments are not changed.
    """
    return [
        f"-{each}" if _SINGLE_DASH.fullmatch(each) and f"-{_flag(each)}" in flags else each
        for each in arguments
    ]


def _unknown_command(argument: str, commands: Collection[str]) -> str:
    hint = _suggestion(argument, commands) or "."
    return f"unknown command {argument!r}{hint} Expected one of {', '.join(commands)}"


def _unknown_arguments(
    unknown: Sequence[str], *, command: str, flags: Mapping[str, Collection[str]]
) -> str:
    """Return a message about arguments that ``command`` does not have.

    ``flags``: the flags of each command, with their dashes.
    """
    return f"unrecognized arguments: {' '.join(unknown)}{_hint(unknown[0], command, flags)}"


def _hint(argument: str, command: str, flags: Mapping[str, Collection[str]]) -> str:
    if argument in flags:
        return f"; write the command before its flags: {argument} …"
    if not argument.startswith("-"):
        return ""
    flag = f"--{_flag(argument).lstrip('-')}"
    if others := [each for each, existing in flags.items() if flag in existing]:
        return f"; {flag} is a flag of {' and '.join(others)}"
    return _suggestion(flag, flags[command])


def _suggestion(argument: str, existing: Collection[str]) -> str:
    matches = difflib.get_close_matches(argument.lower(), existing, n=1, cutoff=0.7)
    return f"; did you mean {matches[0]}?" if matches else ""


def _flag(argument: str) -> str:
    return argument.partition("=")[0]
