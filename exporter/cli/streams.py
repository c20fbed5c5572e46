"""Standard input, output and error, any of which may be closed, full, or without a reader."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

PROGRAM = "confluent-api-keys-exporter"


def reopen_closed() -> None:
    """Open the standard streams that are closed, so that no socket gets their descriptors.

    Reading the input and writing the output fail as before. What goes to standard error is lost.
    """
    for descriptor, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free descriptor, which is this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def say(text: str) -> None:
    """Print each line of ``text`` on standard error, as a message of this program."""
    for line in text.splitlines():
        with contextlib.suppress(OSError):
            print(f"{PROGRAM}: {line}", file=sys.stderr)


def say_unwritable(error: OSError) -> None:
    """Say why standard output cannot be written, unless its reader is gone."""
    if isinstance(error, BrokenPipeError):
        return
    closed = error.errno == errno.EBADF
    reason = "standard output is not open for writing" if closed else error.strerror
    say(f"cannot write the output: {reason}")


def discard_unwritable() -> None:
    """Discard what cannot be written: the interpreter would try again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
