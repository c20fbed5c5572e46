"""Loads the configuration, at start and while the exporter serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, TypeVar

import structlog

from exporter import config
from exporter.config.web_config import WebConfig
from exporter.errors import ConfigurationError, StartUpError
from exporter.web.settings import WebConfigFile
from exporter.web.settings_loading import LoadedSettings, WebSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.app import Exporter
    from exporter.config import Config, Shard
    from exporter.errors import Problem

T = TypeVar("T")
_TIMEOUT = 10.0  # seconds
_MAX_HANGING = 4
_THREAD_NAME = "load configuration"

log = structlog.get_logger(__name__)


def load_config(path: Path, *, shard: Shard) -> Config:
    """Return the configuration at ``path`` for ``shard``.

    Log the size of one of several shards, and a warning for each exposed secret file. Raises
    :class:`~exporter.errors.ConfigurationError`.
    """
    loaded = config.load(path, environ=os.environ, shard=shard)
    if shard.is_one_of_several:
        log.info(
            "this shard has no organizations"
            if not loaded.organizations
            else "using the organizations of one shard",
            shard=shard.ordinal,
            total_shards=shard.total,
            organizations=len(loaded.organizations),
            organizations_of_all_shards=loaded.configured,
        )
    exposed = {each.credentials.exposed_file() for each in loaded.organizations}
    for file in sorted(exposed - {None}, key=str):
        log.warning(
            "every user can read or change this secret file; restrict it, for example with `chmod"
            " o-rw`, or with `defaultMode: 0440` and an `fsGroup` in Kubernetes",
            file=str(file),
        )
    return loaded


def load_configs(load: Callable[[], Config], web: Path | None) -> tuple[Config, LoadedSettings]:
    """Return the result of ``load``, and the web configuration at ``web``, empty for None.

    Raises :class:`~exporter.errors.ConfigurationError` with the problems of both.
    """
    problems: list[Problem] = []
    loaded = None
    settings = LoadedSettings(WebSettings(WebConfig(), None), (), {}, is_empty=True)
    try:
        loaded = load()
    except ConfigurationError as error:
        problems += error.problems
    if web is not None:
        settings = load_settings(web)
        problems += settings.problems
    if loaded is None or problems:
        raise ConfigurationError(tuple(problems))
    return loaded, settings


def open_web_config(
    path: Path | None, loaded: LoadedSettings, exporter: Exporter, *, require_authentication: bool
) -> WebConfigFile | None:
    """Return the web configuration file at ``path``, which is reloaded when it changes.

    ``loaded``: its settings. ``exporter``: exposes whether later ones are valid.
    ``require_authentication``: whether every later version must authenticate clients.
    Raises :class:`~exporter.errors.ConfigurationError` if ``loaded`` does not.
    """
    if path is None:
        return None
    return WebConfigFile(
        path,
        loaded=loaded,
        require_authentication=require_authentication,
        config_loaded=exporter.instruments.web.config_loaded,
    )


async def load_with_timeout(load: Callable[[], T], *, seconds: float = _TIMEOUT) -> T:
    """Return the result of ``load``, called in a daemon thread.

    A lost file system may block a read forever. Raises :class:`~exporter.errors.StartUpError` after
    ``seconds`` or if too many earlier calls still hang, and any exception of ``load``.
    """
    if sum(thread.name == _THREAD_NAME for thread in threading.enumerate()) >= _MAX_HANGING:
        raise StartUpError(
            "earlier attempts to load the configuration are still hanging. Restart the exporter"
        )
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | Exception) -> None:
        if done.done():
            return
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)

    def run() -> None:
        result: T | Exception
        try:
            result = load()
        except Exception as error:  # noqa: BLE001 # raised again in the caller
            result = error
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the caller
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name=_THREAD_NAME, daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await done
    except TimeoutError:
        raise StartUpError(
            f"loading the configuration took longer than {seconds:g} s. Check the file system that"
            " holds it, its secret files and its CA files"
        ) from None
