"""Captures the log as the program writes it, within the process of the test."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from exporter import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest


@contextmanager
def captured(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Yield a function that returns the log so far; restore the logging set-up afterwards.

    Takes ``capsys`` because it must already have replaced standard error.
    """
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level

    def written() -> str:
        logs.flush()
        return capsys.readouterr().err

    yield written
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers, root.level = handlers, level
    structlog.configure(**structured)
