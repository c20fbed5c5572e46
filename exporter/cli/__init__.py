"""The command line."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_SERVING = frozenset({"run", "demo", "simulate"})
_TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv``, the process's own arguments by default; return the exit code.

    0 after a clean stop or a passed check, 1 for a configuration or start-up failure or a failed
    check, 2 for wrong usage; 143 or 130 where SIGTERM or SIGINT cut a command short that was to
    give an answer.
    """
    # First of all: a process that is number 1 of its container has no default action for a signal,
    # and loading the libraries takes a while.
    signal.signal(signal.SIGTERM, _terminate)
    given = sys.argv[1:] if argv is None else argv
    serving = not given or given[0].startswith("-") or given[0] in _SERVING
    try:
        return _run(given)
    except _Terminated:
        return 0 if serving else _TERMINATED
    except KeyboardInterrupt:
        return 0 if serving else _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:  # the commands deal with files and sockets; what is left is our output
        print(f"cannot write the output: {error.strerror}", file=sys.stderr)
        return 1


def _run(given: Sequence[str]) -> int:
    from exporter import logs  # noqa: PLC0415 # here and below: after the signal handler
    from exporter.cli import arguments  # noqa: PLC0415
    from exporter.errors import ExporterError  # noqa: PLC0415

    options = arguments.parse(given)
    from exporter.cli import commands  # noqa: PLC0415 # --help need not load all of it

    logs.set_up(level=options.log_level, form=options.log_format)
    command: Callable[[argparse.Namespace], int] = getattr(commands, options.command)
    try:
        return command(options)
    except ExporterError as error:
        for line in str(error).splitlines():
            print(f"{arguments.PROGRAM}: {line}", file=sys.stderr)
        return 1


class _Terminated(KeyboardInterrupt):
    """SIGTERM came while nobody was there to stop the command gently.

    As the interrupt that asyncio lets through at once.
    """


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise _Terminated
