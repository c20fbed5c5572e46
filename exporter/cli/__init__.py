"""The command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exporter import logs
from exporter.cli import arguments
from exporter.errors import ExporterError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv``, the process's own arguments by default; return the exit code.

    0 after a clean stop or a passed check, 1 for a configuration or start-up failure or a failed
    check, 2 for wrong usage.
    """
    options = arguments.parse(sys.argv[1:] if argv is None else argv)
    logs.set_up(level=options.log_level, form=options.log_format)
    from exporter.cli import commands  # noqa: PLC0415 # --help need not load the libraries

    command: Callable[[argparse.Namespace], int] = getattr(commands, options.command)
    try:
        return command(options)
    except ExporterError as error:
        for line in str(error).splitlines():
            print(f"{arguments.PROGRAM}: {line}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 0
