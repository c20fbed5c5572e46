"""The command line."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from exporter.cli.signals import Terminated, heed_sigterm

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_SERVING = frozenset({"run", "demo", "simulate"})
_MODULES = {"demo": "demo", "simulate": "demo", "report": "report"}
"""Where the commands are that have a module of their own."""
_TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv``, the process's own arguments by default; return the exit code.

    0 after a clean stop or a passed check, 1 for a configuration or start-up failure or a failed
    check, 2 for wrong usage; 143 or 130 where SIGTERM or SIGINT cut a command short that was to
    give an answer.
    """
    heed_sigterm()  # first of all, since loading the libraries takes a while
    given = sys.argv[1:] if argv is None else argv
    first = given[0] if given else "-"
    serving = (first in _SERVING or first.startswith("-")) and "--config.check" not in given
    try:
        return _run(given)
    except Terminated:
        return 0 if serving else _TERMINATED
    except KeyboardInterrupt:
        return 0 if serving else _INTERRUPTED
    except OSError as error:  # the commands deal with files and sockets; what is left is our output
        # Nobody reads it any more; the interpreter shall not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"cannot write the output: {error.strerror}", file=sys.stderr)
        return 1


def _run(given: Sequence[str]) -> int:
    from exporter import logs  # noqa: PLC0415 # here and below: after SIGTERM is heeded
    from exporter.cli import arguments  # noqa: PLC0415
    from exporter.errors import ExporterError  # noqa: PLC0415

    options = arguments.parse(given)
    logs.set_up(level=options.log_level, form=options.log_format)
    # Now that it is known: no command loads what only another one needs.
    module = import_module(f"exporter.cli.{_MODULES.get(options.command, 'commands')}")
    command: Callable[[argparse.Namespace], int] = getattr(module, options.command)
    try:
        code = command(options)
    except ExporterError as error:
        for line in str(error).splitlines():
            print(f"{arguments.PROGRAM}: {line}", file=sys.stderr)
        return 1
    sys.stdout.flush()  # an error belongs to us, not to the end of the interpreter
    return code
