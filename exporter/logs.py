"""Log set-up: one line per event on standard error, as logfmt or JSON, for people and for Loki.

Keys come in the order ``time level source msg``, as in every Prometheus program. A thread writes
the lines: while nobody reads them nothing waits, and lines that do not fit the queue are dropped.
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

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")
_LONGEST_QUEUE = 10_000  # lines; a burst of a listing is 3,000
_LAST_LINES = 0.7
"""Seconds that the process waits at its end for its last lines to be read."""
_QUIET = ("httpx", "httpcore", "asyncio", "uvicorn")
"""Libraries that say at level info what our own lines say better."""


def set_up(*, level: str = "info", form: Literal["logfmt", "json"] = "logfmt") -> None:
    """Send the logs of this program and of its libraries to standard error."""
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
        else structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # the level may be set anew
    )
    handler = _Queued()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _ordered(order),
                renderer,
                _safe,  # type: ignore[list-item] # after a renderer comes its line
            ],
        )
    )
    root = logging.getLogger()
    for before in _queued():
        before.close()
    root.handlers = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def dropped_records() -> int:
    """Return the number of log records that were not written since :func:`set_up`."""
    return sum(handler.dropped for handler in _queued())


def flush(*, timeout: float | None = _LAST_LINES) -> None:
    """Wait until every line is written, for at most ``timeout`` seconds; for ever without one.

    ``logging.shutdown``, which Python calls at its end, does so too.
    """
    for handler in _queued():
        handler.flush(timeout=timeout)


def _queued() -> Iterator[_Queued]:
    return (each for each in logging.getLogger().handlers if isinstance(each, _Queued))


class _Queued(QueueHandler):
    """Renders records and queues the lines; drops and counts those that find the queue full."""

    queue: Queue[str | None]

    def __init__(self) -> None:
        super().__init__(Queue(_LONGEST_QUEUE))
        self._refused = 0
        self._unreported = 0
        self._writer = _Writer(self.queue)
        self._writer.start()

    @property
    def dropped(self) -> int:
        return self._refused + self._writer.lost

    def prepare(self, record: logging.LogRecord) -> str:
        return self.format(record)

    def enqueue(self, line: str) -> None:  # type: ignore[override] # made by `prepare`
        if self._unreported and self.queue.qsize() <= _LONGEST_QUEUE // 2:
            records, self._unreported = self._unreported, 0
            # Where they are missing, and without the context of whoever logs next.
            Context().run(
                structlog.get_logger(__name__).warning,
                "log records were dropped because standard error was not read",
                records=records,
            )
        try:
            self.queue.put_nowait(line)
        except Full:
            self._refused += 1
            self._unreported += 1

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 # logging's own name
        # The standard library would print it, and so wait for a reader.
        self.enqueue(escaped(redacted(traceback.format_exc())))

    def flush(self, *, timeout: float | None = _LAST_LINES) -> None:
        unwritten = self.queue.all_tasks_done
        with unwritten:
            unwritten.wait_for(lambda: not self.queue.unfinished_tasks, timeout)

    def close(self) -> None:
        with contextlib.suppress(Full):
            self.queue.put_nowait(None)  # ends the thread, which does not keep the process alive
        super().close()


class _Writer(QueueListener):
    """The thread that writes the lines."""

    lost = 0
    """The number of lines that could not be written."""

    def handle(self, line: str) -> None:  # type: ignore[override] # made by `prepare`
        try:
            _write(f"{line}\n")
        except Exception:  # noqa: BLE001 # whatever it is cannot be logged, and the next may work
            self.lost += 1


def _write(text: str) -> None:
    """Write to what is standard error now: a progress display replaces it for a while."""
    stream = sys.stderr
    if stream is not sys.__stderr__ or sys.__stderr__ is None:
        stream.write(text)
        stream.flush()
        return
    # Past the stream: a thread that waits inside of it holds its lock, and the interpreter needs
    # that lock to exit.
    descriptor, data = sys.__stderr__.fileno(), text.encode(errors="backslashreplace")
    while data:
        select.select([], [descriptor], [])
        with contextlib.suppress(BlockingIOError):
            # A pipe with any room takes as much without waiting.
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]


def _source(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["source"] = f"{event.pop('filename', '?')}:{event.pop('lineno', 0)}"
    if event.get("level") == "warning":
        event["level"] = "warn"
    return event


def _safe(_logger: WrappedLogger, _method: str, line: str) -> str:
    """Return a rendered line without secrets and without characters that a terminal obeys."""
    return escaped(redacted(line))


def _ordered(order: list[str]) -> Processor:
    def processor(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        first: dict[str, Any] = {key: event.pop(key) for key in order if key in event}
        return {**first, **dict(sorted(event.items()))}

    return processor
