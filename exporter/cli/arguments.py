"""What each command takes. Flags are spelled as in every Prometheus exporter."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exporter import logs
from exporter.cli import argument_types as types
from exporter.cli.output import PROGRAM
from exporter.cli.report_arguments import POLICIES_HELP, add_report_flags
from exporter.cli.simulator_arguments import (
    add_organization_flags,
    add_simulator_flags,
    faults_help,
)
from exporter.cli.spelling import unknown_arguments, unknown_command, with_two_dashes
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from _typeshed import SupportsWrite

DEFAULT_PORT = 10049
CHECK_RESERVE = 0.25
"""The most of a rate limit window that ``check`` leaves to other clients: it needs few requests."""
_VERSION_FLAGS = ("-V", "--version")


class _Parser(argparse.ArgumentParser):
    """Refuses abbreviations, and says where help is."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type] # argparse's own

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: {message}\nTry: {self.prog} --help\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is sys.stdout:
            file.write(message)  # argparse would pass over a full disk
        else:
            super()._print_message(message, file)

    def flags(self, *, hidden: bool = False) -> Collection[str]:
        """Return the long flags; with those that the help does not show, if ``hidden``."""
        return [
            flag
            for flag, action in self._option_string_actions.items()
            if flag.startswith("--") and (hidden or action.help != argparse.SUPPRESS)
        ]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; ``command`` names the command, ``run`` where the arguments name none.

    Exits with 2 and a sentence for wrong usage, with 0 for ``--help`` and ``--version``.
    """
    parser, commands = _parser()
    arguments = with_two_dashes(
        arguments,
        {flag for each in (parser, *commands.values()) for flag in each.flags(hidden=True)},
    )
    first = arguments[0] if arguments else "-"
    if not first.startswith("-") and first not in commands:
        parser.error(unknown_command(first, commands))
    if first.startswith("-") and first not in {"-h", "--help", *_VERSION_FLAGS}:
        arguments = ["run", *arguments]
    if "simulate" in arguments[:2]:
        commands["simulate"].epilog = faults_help()
    options, unknown = parser.parse_known_args(arguments)
    command = commands[options.command]
    if unknown:
        flags = {name: each.flags() for name, each in commands.items()}
        command.error(unknown_arguments(unknown, command=options.command, flags=flags))
    if options.command == "help":
        _print_help(options.topic, parser, commands)
    if options.command == "report":
        least, most = options.min_age or 0, options.max_age
        if most is not None and least > most:
            command.error("--min-age is above --max-age: no key is like that")
    return options


def _print_help(topic: str | None, parser: _Parser, commands: Mapping[str, _Parser]) -> NoReturn:
    if topic is not None and topic not in commands:
        parser.error(unknown_command(topic, commands))
    (commands[topic] if topic else parser).print_help()
    parser.exit()


def _parser() -> tuple[_Parser, Mapping[str, _Parser]]:
    parser = _Parser(
        prog=PROGRAM,
        description="Prometheus exporter for the API keys of Confluent Cloud organizations.",
        epilog="Without a command it serves. COMMAND --help explains each of them.",
    )
    _add_version(parser, "Print the version and exit.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, text: str, *, epilog: str = "") -> _Parser:
        sub: _Parser = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_version(sub, argparse.SUPPRESS)
        _add_log_flags(sub)
        return sub

    run = command("run", "Serve the metrics. This is what happens without a command.")
    _add_config_file(run)
    run.add_argument(
        "--config.check",
        dest="config_check",
        action="store_true",
        help="Validate the configuration, secrets included, and exit.",
    )
    _add_web_flags(run, default=f":{DEFAULT_PORT}")

    demo = command("demo", "Serve the metrics of a simulated Confluent Cloud, without credentials.")
    add_organization_flags(demo, speed=60)
    _add_web_flags(demo, default=f"127.0.0.1:{DEFAULT_PORT}")

    simulate = command(
        "simulate",
        "Serve a simulated Confluent Cloud API, for tests and trials.",
    )
    default = "127.0.0.1:8089"
    _add_listen_address(simulate, default=default)
    _add_listen_address(simulate, default=default, flag="--listen-address", hidden=True)
    add_organization_flags(simulate, speed=1)
    add_simulator_flags(simulate)

    once = command("once", "Refresh every organization once and print the metrics.")
    _add_config_file(once)
    once.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="Write to FILE instead. A regular file is replaced in one step, as the textfile"
        " collector needs it; devices and FIFOs are written to.",
    )
    _add_timeout(once)

    report = command(
        "report",
        "List the keys themselves, with the policies that each violates.",
        epilog=POLICIES_HELP,
    )
    _add_config_file(report)
    add_report_flags(report)
    _add_timeout(report)

    check = command(
        "check",
        "Try the credentials of every organization and say what they may see.",
        epilog=textwrap.fill(
            f"Leaves at most {CHECK_RESERVE:g} of each rate limit window to other clients, even"
            " where `rate_limit.reserve` is higher. Lists Schema Registry and ksqlDB clusters of"
            " one environment only.",
            width=79,
        ),
    )
    _add_config_file(check)
    _add_timeout(check)

    command("schema", "Print the JSON Schema of the configuration, for editors.")

    explain = commands.add_parser(
        "help", help="Explain a command.", description="Explain a command."
    )
    explain.add_argument("topic", nargs="?", metavar="COMMAND", help="Default: all of them")
    return parser, commands.choices


def _add_version(parser: _Parser, text: str) -> None:
    parser.add_argument(
        *_VERSION_FLAGS, action="version", version=f"{PROGRAM} {__version__}", help=text
    )


def _add_log_flags(parser: _Parser) -> None:
    parser.add_argument(
        "--log.level",
        dest="log_level",
        type=types.log_level,
        choices=logs.LEVELS,
        default="info",
        help="The least severe lines to log. Default: %(default)s",
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=logs.FORMATS,
        default="logfmt",
        help="How to write log lines. Default: %(default)s",
    )


def _add_config_file(parser: _Parser) -> None:
    parser.add_argument(
        "--config.file",
        dest="config_file",
        type=Path,
        default=Path("config.yaml"),
        metavar="FILE",
        help="The configuration. Default: %(default)s",
    )


def _add_timeout(parser: _Parser) -> None:
    parser.add_argument(
        "--timeout",
        type=types.timeout,
        metavar="DURATION",
        help="Give up after so long, such as 30s, and say what is missing. Default: the timeouts of"
        " the configuration only",
    )


def _add_web_flags(parser: _Parser, *, default: str) -> None:
    _add_listen_address(parser, default=default)
    parser.add_argument(
        "--web.telemetry-path",
        dest="web_telemetry_path",
        type=types.telemetry_path,
        default="/metrics",
        metavar="PATH",
        help="Where the metrics are. Default: %(default)s",
    )


def _add_listen_address(
    parser: _Parser, *, default: str, flag: str = "--web.listen-address", hidden: bool = False
) -> None:
    parser.add_argument(
        flag,
        dest="web_listen_addresses",
        action="append",
        type=types.address,
        metavar="ADDRESS",
        help=argparse.SUPPRESS
        if hidden
        else "Where to listen, such as :10049, 127.0.0.1:10049 or [::1]:10049. May be repeated."
        f" Default: {default}",
    )
    parser.set_defaults(web_default_address=default)
