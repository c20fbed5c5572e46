"""Standard streams and output files, any of which may be closed, full, or without a reader."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from exporter.config.files import replacing, write_all
from exporter.errors import StartUpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PROGRAM = "confluent-api-keys-exporter"
_PRIVATE, _DEFAULT_MODE = 0o600, 0o666


def reopen_closed_streams() -> None:
    """Open closed standard streams on the null device, so that no socket gets their descriptors.

    Reading standard input and writing standard output still fail. Standard error is discarded.
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


def print_message(text: str) -> None:
    """Print each line of ``text`` on standard error, prefixed with the name of the program."""
    for line in text.splitlines():
        with contextlib.suppress(OSError):
            print(f"{PROGRAM}: {line}", file=sys.stderr)


def print_output(text: str) -> None:
    """Print ``text`` on standard output. Errors: see :func:`stdout_errors`."""
    with stdout_errors():
        sys.stdout.write(f"{text}\n")  # in one write: log lines may go to the same file
        sys.stdout.flush()


def discard_unwritable() -> None:
    """Discard buffered output that cannot be written; else the interpreter's exit reports it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def stdout_errors() -> Iterator[None]:
    """Raise :class:`~exporter.errors.StartUpError` for an ``OSError`` of writing standard output.

    Its text is empty if the reader has closed the pipe, which is not worth a message.
    """
    try:
        yield
    except BrokenPipeError:
        raise StartUpError from None
    except OSError as error:
        closed = error.errno == errno.EBADF
        reason = "standard output is not open for writing" if closed else error.strerror or error
        raise StartUpError(f"cannot write the output: {reason}") from None


class Output:
    """Where a command writes its data. ``file`` is not buffered, or is flushed here."""

    def __init__(self, file: BinaryIO, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._file = file
        self._errors = errors

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._file.isatty()

    def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises :class:`~exporter.errors.StartUpError`."""
        with self._errors():
            write_all(self._file, data)
            self._file.flush()


@contextlib.contextmanager
def open_output(path: Path | None) -> Iterator[Output]:
    """Yield the output of a command: the file at ``path``, or standard output.

    A regular file is replaced atomically at the end of the context: readers see the old content or
    the new one. After an error the old content stays. The file keeps its mode, and its owner if
    permitted. Symbolic links are followed. FIFOs and devices are written to directly.

    Raises :class:`~exporter.errors.StartUpError` if the output cannot be opened, written or
    replaced. Other errors inside the context pass through unchanged.
    """
    if path is None:
        yield Output(sys.stdout.buffer, stdout_errors)
        return
    errors = partial(_file_errors, path)
    with contextlib.ExitStack() as stack:
        with errors():
            file = stack.enter_context(_open(path))
        yield Output(file, errors)
        with errors():
            stack.close()


@contextlib.contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartUpError(f"cannot write {path}: {error.strerror or error}") from None


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        existing = path.stat()
    except FileNotFoundError:
        existing = None
    if existing is not None and stat.S_ISDIR(existing.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if existing is None or stat.S_ISREG(existing.st_mode):
        with _replacing(Path(os.path.realpath(path)), existing) as file:
            yield file
    else:
        with os.fdopen(_open_special(path, existing), "wb", buffering=0) as file:
            yield file


@contextlib.contextmanager
def _replacing(path: Path, existing: os.stat_result | None) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces the regular file at ``path``, which may not exist."""
    # Until it has the mode of the existing file, others must not read what that one hides.
    mode = _PRIVATE if existing else _DEFAULT_MODE
    with replacing(path, mode=mode) as file:
        yield file
        if existing is not None:
            os.fchmod(file.fileno(), stat.S_IMODE(existing.st_mode))


def _open_special(path: Path, existing: os.stat_result) -> int:
    """Return a descriptor of a FIFO or a device."""
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a reader indefinitely.
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(existing.st_mode):
            raise StartUpError(
                f"cannot write {path}: no process reads this FIFO. Start its reader first"
            ) from None
        raise
    os.set_blocking(descriptor, True)
    return descriptor
