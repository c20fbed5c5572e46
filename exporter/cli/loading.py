"""Loads the configuration, and warns of what is valid but unlikely to be meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from exporter import config

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config import Config

log = structlog.get_logger(__name__)


def load_config(path: Path) -> Config:
    """Return the configuration at ``path``. Raises :class:`~exporter.errors.ConfigurationError`."""
    loaded = config.load(path, environ=os.environ)
    exposed = {each.credentials.exposed_file() for each in loaded.organizations}
    for file in sorted(exposed - {None}, key=str):
        log.warning(
            "every user may read or change this secret file; restrict it, for example with `chmod"
            " o-rw`, or with `defaultMode: 0440` and an `fsGroup` in Kubernetes",
            file=str(file),
        )
    return loaded
