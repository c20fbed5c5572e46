"""What each command takes. Flags are spelled as in every Prometheus exporter."""

from __future__ import annotations

import argparse
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from exporter import logs
from exporter.cli.report_arguments import POLICIES_HELP, add_report_flags
from exporter.version import __version__
from exporter.web.sockets import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.simulator import Fault

T = TypeVar("T")

PROGRAM = "confluent-api-keys-exporter"
DEFAULT_PORT = 10049
_MOST = 1_000_000


class _Parser(argparse.ArgumentParser):
    """Refuses abbreviations, and says where help is."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type] # argparse's own

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROGRAM}: {message}\nTry: {self.prog} --help\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; ``command`` names the command, ``run`` where the arguments name none.

    Exits with 2 and a sentence for wrong usage, with 0 for ``--help`` and ``--version``.
    """
    parser, commands = _parser()
    first = arguments[0] if arguments else "-"
    if first.startswith("-") and first not in {"-h", "--help", "--version"}:
        arguments = ["run", *arguments]
    if first == "simulate":
        commands["simulate"].epilog = _faults_help()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        commands[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        parser.error("name a command")
    if options.command == "report":
        least, most = options.min_age or 0, options.max_age
        if most is not None and least > most:
            commands["report"].error("--min-age is above --max-age: no key is like that")
    return options


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog=PROGRAM,
        description="Prometheus exporter for the API keys of Confluent Cloud organizations.",
        epilog="Without a command it serves. COMMAND --help explains each of them.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, text: str, *, epilog: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
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
    run.add_argument(
        "--version", action="version", version=f"{PROGRAM} {__version__}", help=argparse.SUPPRESS
    )

    demo = command("demo", "Serve the metrics of a simulated Confluent Cloud, without credentials.")
    _add_organization_flags(demo, speed=60)
    _add_web_flags(demo, default=f"127.0.0.1:{DEFAULT_PORT}")

    simulate = command(
        "simulate",
        "Serve a simulated Confluent Cloud API, for tests and trials.",
    )
    simulate.add_argument(
        "--listen-address",
        default="127.0.0.1:8089",
        type=_address,
        metavar="ADDRESS",
        help="Where to listen. Default: %(default)s",
    )
    _add_organization_flags(simulate, speed=1)
    _add_simulator_flags(simulate)

    once = command("once", "Refresh every organization once and print the metrics.")
    _add_config_file(once)
    once.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="Write to FILE instead, in one step, as the textfile collector needs it.",
    )

    report = command(
        "report",
        "List the keys themselves, with the policies that each violates.",
        epilog=POLICIES_HELP,
    )
    _add_config_file(report)
    add_report_flags(report)

    check = command("check", "Try the credentials of every organization and say what they may see.")
    _add_config_file(check)

    command("schema", "Print the JSON Schema of the configuration, for editors.")
    return parser, commands.choices


def _add_log_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log.level",
        dest="log_level",
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


def _add_config_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config.file",
        dest="config_file",
        type=Path,
        default=Path("config.yaml"),
        metavar="FILE",
        help="The configuration. Default: %(default)s",
    )


def _add_web_flags(parser: argparse.ArgumentParser, *, default: str) -> None:
    parser.add_argument(
        "--web.listen-address",
        dest="web_listen_addresses",
        action="append",
        type=_address,
        metavar="ADDRESS",
        help="Where to listen, such as :10049, 127.0.0.1:10049 or [::1]:10049. May be repeated."
        f" Default: {default}",
    )
    parser.add_argument(
        "--web.telemetry-path",
        dest="web_telemetry_path",
        type=_telemetry_path,
        default="/metrics",
        metavar="PATH",
        help="Where the metrics are. Default: %(default)s",
    )
    parser.set_defaults(web_default_address=default)


def _add_organization_flags(parser: argparse.ArgumentParser, *, speed: float) -> None:
    def number(flag: str, default: int | None, text: str, *, least: int = 0) -> None:
        shown = "it follows from --keys" if default is None else default
        parser.add_argument(
            flag,
            type=partial(_count, least=least),
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
        type=_speed,
        default=speed,
        metavar="FACTOR",
        help="Simulated seconds per second, for how often keys are created, rotated and deleted;"
        " 0 for never. Default: %(default)s",
    )
    parser.set_defaults(faults=[])


def _add_simulator_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate-limit",
        type=_rate_limit,
        default="120/60s",
        metavar="REQUESTS/WINDOW",
        help="What each organization may spend per window, or none. Default: %(default)s",
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        type=_fault,
        metavar="SPEC",
        help="Let requests fail; may be repeated. SPEC is NAME[:ARGUMENT][:PROBABILITY], such as"
        " 429:0.1 or slow:2s:0.1; without a probability every request is struck.",
    )


def _fault_help(fault: tuple[str, str]) -> str:
    name, text = fault
    return textwrap.fill(
        f"{name:<16} {text}", width=79, initial_indent="  ", subsequent_indent=" " * 19
    )


def _faults_help() -> str:
    from exporter.simulator import FAULT_GRAMMAR, FAULTS  # noqa: PLC0415 # for its own commands

    return "\n".join(["faults:", *map(_fault_help, FAULTS.items()), "", FAULT_GRAMMAR])


def _rate_limit(text: str) -> str:
    from exporter.simulator import parse_rate_limit  # noqa: PLC0415 # as above

    if text != "none":
        _checked(parse_rate_limit, text)
    return text


def _fault(text: str) -> Fault:
    from exporter.simulator import parse_fault  # noqa: PLC0415 # as above

    return _checked(parse_fault, text)


def _checked(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        said = f"{text!r} is not a number" if parse in {int, float} else str(error)
        raise argparse.ArgumentTypeError(said) from None


def _count(text: str, *, least: int) -> int:
    return int(_between(least, _checked(int, text)))


def _speed(text: str) -> float:
    return _between(0, _checked(float, text))


def _between(least: int, number: float) -> float:
    if not least <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{number:g} is not between {least} and {_MOST}")
    return number


def _address(text: str) -> str:
    _checked(parse_address, text)
    return text


def _telemetry_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("/-/") or set(text) & set("{}?# "):
        raise argparse.ArgumentTypeError(f"{text!r} is not a path like /metrics; /-/… is taken")
    return text
