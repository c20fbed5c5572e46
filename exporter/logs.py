"""Logging: one line per event on standard error, as logfmt or JSON.

The keys ``time level source msg`` come first, as in other Prometheus programs. A thread writes the
lines, so that an unread standard error blocks no other thread. Lines that exceed the queue are
dropped and counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import traceback
from contextvars import Context
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, Literal

import structlog
from structlog.processors import CallsiteParameter

from exporter.escaping import escaped
from exporter.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, Processor, WrappedLogger

log = structlog.get_logger(__name__)
LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")
_MAX_QUEUED = 10_000  # lines; a large listing logs 3,000 at once
_FLUSH_TIMEOUT = 0.7
"""Seconds that the process waits at exit for its last lines to be written."""
_QUIET_LIBRARIES = ("httpx", "httpcore", "asyncio", "uvicorn")
"""Libraries whose info lines repeat what this program logs."""


def set_up(*, level: str = "info", form: Literal["logfmt", "json"] = "logfmt") -> None:
    """Write the logs of this program and its libraries to standard error. May be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.add_log_level,
        structlog.processors.CallsiteParameterAdder(
            {CallsiteParameter.FILENAME, CallsiteParameter.LINENO}
        ),
        _source,
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
    ]
    order = ["time", "level", "source", "msg", "organization"]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.processors.LogfmtRenderer(
            key_order=order, drop_missing=True, bool_as_flag=False
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # the level may change
    )
    handler = _QueuedHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _ordered(order),
                renderer,
                _sanitize,  # type: ignore[list-item] # it gets the rendered line
            ],
        )
    )
    root = logging.getLogger()
    for previous in _queued_handlers():
        previous.close()
    root.handlers = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


@contextlib.contextmanager
def bugs_logged() -> Iterator[None]:
    """Log an exception in the context, which is a bug, and continue after it."""
    try:
        yield
    except Exception:
        log.exception("error in the exporter; please report it")


def dropped_records() -> int:
    """Return the number of log records dropped since :func:`set_up`."""
    return sum(handler.dropped for handler in _queued_handlers())


def flush(*, timeout: float | None = _FLUSH_TIMEOUT) -> None:
    """Wait until every line is written, at most ``timeout`` seconds; without a limit for None.

    Python also does this at exit, through ``logging.shutdown``.
    """
    for handler in _queued_handlers():
        handler.flush(timeout=timeout)


def _queued_handlers() -> Iterator[_QueuedHandler]:
    return (each for each in logging.getLogger().handlers if isinstance(each, _QueuedHandler))


class _QueuedHandler(QueueHandler):
    """Renders records and queues the lines. Drops and counts lines while the queue is full."""

    queue: Queue[str | None]

    def __init__(self) -> None:
        super().__init__(Queue(_MAX_QUEUED))
        self._dropped = 0
        self._unreported = 0
        self._writer = _Writer(self.queue)
        self._writer.start()

    @property
    def dropped(self) -> int:
        return self._dropped + self._writer.lost

    def prepare(self, record: logging.LogRecord) -> str:
        return self.format(record)

    def enqueue(self, line: str) -> None:  # type: ignore[override] # the result of `prepare`
        if self._unreported and self.queue.qsize() <= _MAX_QUEUED // 2:
            records, self._unreported = self._unreported, 0
            # Before the next line, and without the context variables of its record.
            Context().run(
                structlog.get_logger(__name__).warning,
                "log records were dropped because standard error was not read",
                records=records,
            )
        try:
            self.queue.put_nowait(line)
        except Full:
            self._dropped += 1
            self._unreported += 1

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 # logging's own name
        # The standard library would print it, which blocks on an unread standard error.
        self.enqueue(escaped(redacted(traceback.format_exc())))

    def flush(self, *, timeout: float | None = _FLUSH_TIMEOUT) -> None:
        unwritten = self.queue.all_tasks_done
        with unwritten:
            unwritten.wait_for(lambda: not self.queue.unfinished_tasks, timeout)

    def close(self) -> None:
        with contextlib.suppress(Full):
            self.queue.put_nowait(None)  # ends the thread, which is a daemon
        super().close()


class _Writer(QueueListener):
    """The thread that writes the lines."""

    lost = 0
    """The number of lines that could not be written."""

    def handle(self, line: str) -> None:  # type: ignore[override] # the result of `prepare`
        try:
            _write(f"{line}\n")
        except Exception:  # noqa: BLE001 # it cannot be logged; the next line may succeed
            self.lost += 1


def _write(text: str) -> None:
    """Write to the current standard error, which a progress display may have replaced."""
    stream = sys.stderr
    if stream is not sys.__stderr__ or sys.__stderr__ is None:
        stream.write(text)
        stream.flush()
        return
    # Bypass the stream: a thread blocked in it would hold its lock, which the interpreter needs to
    # exit.
    descriptor, data = sys.__stderr__.fileno(), text.encode(errors="backslashreplace")
    while data:
        select.select([], [descriptor], [])
        with contextlib.suppress(BlockingIOError):
            # A writable pipe accepts this many bytes without blocking.
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]


def _source(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["source"] = f"{event.pop('filename', '?')}:{event.pop('lineno', 0)}"
    if event.get("level") == "warning":
        event["level"] = "warn"
    return event


def _sanitize(_logger: WrappedLogger, _method: str, line: str) -> str:
    """Return a rendered line without secrets and control characters."""
    return escaped(redacted(line))


def _ordered(order: list[str]) -> Processor:
    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        first: dict[str, Any] = {key: event.pop(key) for key in order if key in event}
        return {**first, **dict(sorted(event.items()))}

    return processor
