"""Loads the settings of the server from the web configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config.web_config import read_web_config
from exporter.errors import Problem
from exporter.web.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.config.files import FileVersion
    from exporter.config.web_config import WebConfig
    from exporter.web.tls import TlsContext


@dataclass(frozen=True)
class WebSettings:
    """A valid web configuration."""

    config: WebConfig
    tls: TlsContext | None


@dataclass(frozen=True)
class LoadedSettings:
    """The result of an attempt to load the settings."""

    settings: WebSettings
    """Not to be used if there are problems."""
    problems: tuple[Problem, ...]
    files: Mapping[str, FileVersion]
    """By path: every file that was read, and its version before that."""
    is_empty: bool
    """Whether the file has no content, which is a valid configuration of nothing."""


def load_settings(path: Path) -> LoadedSettings:
    """Return the settings in the web configuration at ``path``. Blocks."""
    reading = read_web_config(path)
    problems, tls = reading.problems, None
    if not problems and reading.config.tls is not None:
        try:
            tls = tls_context(reading.config.tls)
        except ValueError as error:  # of this OpenSSL, such as a curve that it does not have
            problems = (Problem(str(path), 0, "tls_server_config", f"OpenSSL: {error}"),)
    settings = WebSettings(reading.config, tls)
    return LoadedSettings(settings, problems, reading.files, reading.is_empty)
