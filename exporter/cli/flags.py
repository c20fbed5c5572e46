"""The commands and their flags. Flags have the names that other Prometheus exporters use."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import logs
from exporter.cli import argument_types as types
from exporter.cli.output import PROGRAM
from exporter.cli.report_flags import REPORT_EPILOG, add_report_flags
from exporter.cli.shard_flags import add_shard_flags
from exporter.cli.simulator_flags import (
    add_api_flags,
    add_keyless_flag,
    add_organization_flags,
)
from exporter.cli.web_flags import add_run_web_flags, add_web_flags
from exporter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import NoReturn

    from _typeshed import SupportsWrite

DEFAULT_PORT = 10049
CHECK_RESERVE = 0.25
"""The highest share of a rate limit window that ``check`` leaves unused; it sends few requests."""
VERSION_FLAGS = ("-V", "--version")
_DEFAULT_SIMULATOR = "127.0.0.1:8089"
_WIDTH = 79  # columns
_EPILOG = """\
Without a command, the exporter serves metrics. COMMAND --help lists the flags
of a command.

exit codes:
  0         clean stop, or success
  1         failure, or forced exit because a clean stop took too long
  2         wrong usage
  130, 143  SIGINT or SIGTERM interrupted a command that does not serve
"""


class Parser(argparse.ArgumentParser):
    """Accepts no abbreviations; an error message ends with the command that shows the help."""

    def __init__(self, **settings: object) -> None:
        super().__init__(
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **settings,  # type: ignore[arg-type] # the parameters of argparse
        )
        self.add_argument("-h", "--help", action="help", help="Print this help and exit.")

    def error(self, message: str) -> NoReturn:
        """Print ``message`` and exit with 2."""
        self.exit(2, f"{PROGRAM}: {message}\nTry: {self.prog} --help\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is sys.stdout:
            file.write(message)  # argparse itself ignores a full disk
        else:
            super()._print_message(message, file)

    def flags(self, *, hidden: bool = False) -> Collection[str]:
        """Return the long flags; with ``hidden``, also those that the help does not list."""
        return [
            flag
            for flag, action in self._option_string_actions.items()
            if flag.startswith("--") and (hidden or action.help != argparse.SUPPRESS)
        ]


def build_parsers() -> tuple[Parser, Mapping[str, Parser]]:
    """Return the parser, and the parsers of the commands by name."""
    parser = Parser(
        prog=PROGRAM,
        description="Prometheus exporter for the API keys of Confluent Cloud organizations.",
        epilog=_EPILOG,
    )
    _add_version(parser, "Print the version and exit.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, text: str, *, epilog: str = "") -> Parser:
        sub: Parser = commands.add_parser(name, help=text, description=text, epilog=epilog)
        _add_version(sub, argparse.SUPPRESS)
        _add_log_flags(sub)
        return sub

    run = command("run", "Serve the metrics. This is the default command.")
    _add_config_file(run)
    add_shard_flags(run, from_host_name=True)
    run.add_argument(
        "--config.check",
        dest="config_check",
        action="store_true",
        help="Validate the configuration, its secrets and the web configuration, and exit.",
    )
    _add_web_flags(run, default=f":{DEFAULT_PORT}")
    add_run_web_flags(run)

    demo = command("demo", "Serve the metrics of a simulated Confluent Cloud, without credentials.")
    add_organization_flags(demo, speed=60)
    add_keyless_flag(demo)
    _add_web_flags(demo, default=f"127.0.0.1:{DEFAULT_PORT}")

    simulate = command("simulate", "Serve a simulated Confluent Cloud API, for tests and trials.")
    _add_listen_address(simulate, default=_DEFAULT_SIMULATOR)
    _add_listen_address(simulate, default=_DEFAULT_SIMULATOR, flag="--listen-address", hidden=True)
    add_organization_flags(simulate, speed=1)
    add_api_flags(simulate)

    once = command("once", "Refresh every organization once and print the metrics.")
    _add_config_file(once)
    add_shard_flags(once, from_host_name=True)
    once.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="Write to FILE instead of standard output. A regular file is replaced atomically, as"
        " the textfile collector requires; FIFOs and devices are written to directly.",
    )
    _add_timeout(once)

    report = command(
        "report", "List the API keys and the policies that each violates.", epilog=REPORT_EPILOG
    )
    _add_config_file(report)
    add_shard_flags(report, from_host_name=False)
    add_report_flags(report)
    _add_timeout(report)

    check = command(
        "check",
        "Test the credentials of every organization and show what they can see.",
        epilog=textwrap.fill(
            f"Reserves at most {CHECK_RESERVE:.0%} of each rate-limit window for other clients,"
            " even if `rate_limit.reserve` is higher. Lists Schema Registry and ksqlDB clusters of"
            " only one environment.",
            width=_WIDTH,
        ),
    )
    _add_config_file(check)
    add_shard_flags(check, from_host_name=False)
    _add_timeout(check)

    command("schema", "Print the JSON Schema of the configuration, for editors.")

    text = "Show the help of a command."
    topic = commands.add_parser("help", help=text, description=text)
    topic.add_argument("topic", nargs="?", metavar="COMMAND", help="Default: all commands")
    return parser, commands.choices


def _add_version(parser: Parser, text: str) -> None:
    parser.add_argument(
        *VERSION_FLAGS, action="version", version=f"{PROGRAM} {__version__}", help=text
    )


def _add_log_flags(parser: Parser) -> None:
    parser.add_argument(
        "--log.level",
        dest="log_level",
        type=types.log_level,
        choices=logs.LEVELS,
        default="info",
        help="Lowest severity to log. Default: %(default)s",
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=logs.FORMATS,
        default="logfmt",
        help="Format of log lines. Default: %(default)s",
    )


def _add_config_file(parser: Parser) -> None:
    parser.add_argument(
        "--config.file",
        dest="config_file",
        type=Path,
        default=Path("config.yaml"),
        metavar="FILE",
        help="Configuration file. Default: %(default)s",
    )


def _add_timeout(parser: Parser) -> None:
    parser.add_argument(
        "--timeout",
        type=types.timeout,
        metavar="DURATION",
        help="Stop after this time, such as 30s, and report what is missing. Default: only the"
        " timeouts in the configuration apply",
    )


def _add_web_flags(parser: Parser, *, default: str) -> None:
    _add_listen_address(parser, default=default)
    parser.add_argument(
        "--web.telemetry-path",
        dest="web_telemetry_path",
        type=types.telemetry_path,
        default="/metrics",
        metavar="PATH",
        help="Path of the metrics. Default: %(default)s",
    )
    add_web_flags(parser)


def _add_listen_address(
    parser: Parser, *, default: str, flag: str = "--web.listen-address", hidden: bool = False
) -> None:
    parser.add_argument(
        flag,
        dest="web_listen_addresses",
        action="append",
        type=types.address,
        metavar="ADDRESS",
        help=argparse.SUPPRESS
        if hidden
        else "Address to listen on, such as :10049, 127.0.0.1:10049 or [::1]:10049. May be"
        f" repeated. Default: {default}",
    )
    parser.set_defaults(web_default_address=default)
