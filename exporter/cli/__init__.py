"""The command line."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from exporter.cli import streams
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
    """Run the command in ``argv``, the process's own arguments by default; return the exit code.

    0 after a clean stop or a passed check, 1 for a configuration or start-up failure or a failed
    check, 2 for wrong usage; 143 or 130 where SIGTERM or SIGINT cut a command short that was to
    give an answer.
    """
    raise_on_sigterm()  # first of all, since loading the libraries takes a while
    streams.reopen_closed()
    given = sys.argv[1:] if argv is None else argv
    first = given[0] if given else "-"
    checking = any(each.lstrip("-") == "config.check" for each in given)
    serving = (first in _SERVING or first.startswith("-")) and not checking
    try:
        return _run(given)
    except Terminated:
        return 0 if serving else _TERMINATED
    except KeyboardInterrupt:
        return 0 if serving else _INTERRUPTED
    except OSError as error:  # the commands deal with files and sockets; what is left is our output
        streams.say_unwritable(error)
        return 1
    finally:
        streams.discard_unwritable()


def _run(given: Sequence[str]) -> int:
    from exporter import logs  # noqa: PLC0415 # here and below: after SIGTERM is heeded
    from exporter.cli import arguments  # noqa: PLC0415
    from exporter.errors import ExporterError  # noqa: PLC0415

    try:
        options = arguments.parse(given)
    except SystemExit as ended:  # help, the version, or wrong usage has been printed
        sys.stdout.flush()
        return int(ended.code or 0)
    with signals_blocked():
        logs.set_up(level=options.log_level, form=options.log_format)
    # Now that it is known: no command loads what only another one needs.
    module = import_module(f"exporter.cli.{_MODULES.get(options.command, 'commands')}")
    command: Callable[[argparse.Namespace], int] = getattr(module, options.command)
    try:
        code = command(options)
    except ExporterError as error:
        logs.flush()  # its lines came first
        streams.say(str(error))
        return 1
    sys.stdout.flush()  # an error belongs to us, not to the end of the interpreter
    if options.command not in _SERVING:
        logs.flush(timeout=None)
    return code
