"""Log set-up: one line per event on standard error, as logfmt or JSON, for people and for Loki.

Keys come in the order ``time level source msg``, as in every Prometheus program.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog
from structlog.processors import CallsiteParameter

from exporter.escaping import escaped
from exporter.redaction import redacted

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")
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
    handler = _StandardError()
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
    root.handlers = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error now: a progress display replaces it for a while."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        """There is nothing to remember."""


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
