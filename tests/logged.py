"""Log lines as the program writes them, in a test's own process."""

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
    """Yield what returns the log so far; afterwards, logging is as it was before.

    ``capsys`` is asked for because it must have replaced standard error already.
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
