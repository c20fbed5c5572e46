"""The command line."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from exporter.cli import output
from exporter.cli.open_files import raise_open_file_limit
from exporter.cli.signals import Terminated, raise_on_sigterm, signals_blocked

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_SERVING = frozenset({"run", "demo", "simulate"})
_MODULES = {
    "demo": "demo",
    "simulate": "demo",
    "once": "one_shot",
    "check": "one_shot",
    "report": "report",
}
"""The modules of the commands that are not in ``commands``."""
_TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv``, by default the arguments of the process; return the exit code.

    0 after a clean stop or a passed check; 1 for a configuration or start-up failure, a failed
    check or a forced exit; 2 for wrong usage; 143 or 130 if SIGTERM or SIGINT interrupted a command
    that does not serve.
    """
    raise_on_sigterm()  # first, because loading the libraries takes a while
    output.reopen_closed_streams()
    raise_open_file_limit()
    arguments = sys.argv[1:] if argv is None else argv
    first = arguments[0] if arguments else "-"
    checking = any(each.lstrip("-") == "config.check" for each in arguments)
    serving = (first in _SERVING or first.startswith("-")) and not checking
    try:
        return _run(arguments)
    except Terminated:
        return 0 if serving else _TERMINATED
    except KeyboardInterrupt:
        return 0 if serving else _INTERRUPTED
    except OSError as error:
        output.print_message(f"unexpected error: {error}")
        return 1
    finally:
        output.discard_unwritable()


def _run(argv: Sequence[str]) -> int:
    # Imported here, and not before SIGTERM is handled.
    from exporter import logs  # noqa: PLC0415
    from exporter.cli import arguments  # noqa: PLC0415
    from exporter.errors import ExporterError  # noqa: PLC0415

    try:
        with output.stdout_errors():
            try:
                options = arguments.parse(argv)
            except SystemExit as exit_:  # after printing help, the version or wrong usage
                sys.stdout.flush()
                return int(exit_.code or 0)
        with signals_blocked():
            logs.set_up(level=options.log_level, form=options.log_format)
        # Each command loads only the libraries that it needs.
        module = import_module(f"exporter.cli.{_MODULES.get(options.command, 'commands')}")
        command: Callable[[argparse.Namespace], int] = getattr(module, options.command)
        code = command(options)
    except ExporterError as error:
        logs.flush()  # the log lines come before the message
        output.print_message(str(error))
        return 1
    if options.command not in _SERVING:
        logs.flush(timeout=None)
    return code
