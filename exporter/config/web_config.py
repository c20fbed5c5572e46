"""Loads the web configuration: TLS, headers, users and rate limit of the HTTP server.

The format is that of prometheus/exporter-toolkit, which most exporters share. Every setting is
either honoured or reported as a problem with its remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config.files import version_of
from exporter.config.text import limited, read_text
from exporter.config.web_http import read_headers, read_rate_limit, read_users
from exporter.config.web_section import Reading, Section
from exporter.config.web_tls import SETTINGS as TLS_SETTINGS
from exporter.config.web_tls import read_tls
from exporter.config.web_values import ClientAuth, TlsConfig, WebConfig, WebRateLimit
from exporter.config.yaml_document import kind_of, parse_yaml
from exporter.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.config.files import FileVersion
    from exporter.errors import Problem

__all__ = [
    "ClientAuth",
    "TlsConfig",
    "WebConfig",
    "WebConfigReading",
    "WebRateLimit",
    "load_web_config",
    "read_web_config",
]
_SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")


@dataclass(frozen=True)
class WebConfigReading:
    """The result of reading a web configuration."""

    config: WebConfig
    """Unusable if there are problems."""
    problems: tuple[Problem, ...]
    files: Mapping[str, FileVersion]
    """By path: every file that was read, with its version before it was read."""
    is_empty: bool
    """Whether the file has no settings, which is valid."""


def load_web_config(path: Path) -> tuple[WebConfig, Mapping[str, FileVersion]]:
    """Return the web configuration at ``path``, and the versions of its files.

    Raises :class:`~exporter.errors.ConfigurationError` with all problems.
    """
    reading = read_web_config(path)
    if reading.problems:
        raise ConfigurationError(reading.problems)
    return reading.config, reading.files


def read_web_config(path: Path) -> WebConfigReading:
    """Read the web configuration at ``path``. Relative paths in it start at its folder."""
    files = {str(path): version_of(path)}
    try:
        text = read_text(path, flag="--web.config.file")
        document = parse_yaml(text, file=str(path), merge="write the settings themselves")
    except ConfigurationError as error:
        return WebConfigReading(WebConfig(), error.problems, files, is_empty=False)
    reading = Reading(document, str(path), path.absolute().parent)
    config = WebConfig()
    if isinstance(document.data, dict):
        config = _read(Section(reading, (), document.data, _SECTIONS))
    elif document.data is not None:
        reading.add_problem((), f"is {kind_of(document.data)}; expected a mapping of settings")
    problems = limited(reading.problems, str(path))
    is_empty = document.data is None
    return WebConfigReading(config, problems, files | reading.files, is_empty=is_empty)


def _read(top: Section) -> WebConfig:
    tls = top.section("tls_server_config", TLS_SETTINGS)
    http = top.section("http_server_config", ("http2", "headers"))
    rate_limit = top.section("rate_limit", ("interval", "burst"))
    return WebConfig(
        tls=None if tls is None else read_tls(tls),
        headers={} if http is None else read_headers(http),
        users=read_users(top),
        rate_limit=None if rate_limit is None else read_rate_limit(rate_limit),
    )
