"""The settings of the server, reloaded when the files of the web configuration change."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.config.files import version_of
from exporter.errors import ConfigurationError, Problem
from exporter.web.log_limit import LogLimit
from exporter.web.settings_changes import change_problems, loosens
from exporter.web.settings_loading import WebSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.config.files import FileVersion
    from exporter.config.web_config import WebConfig
    from exporter.web.settings_loading import LoadedSettings
    from exporter.web.tls import TlsContext

_ANSWER = 1.0
"""Seconds that the file system may take to respond to a thread.

For the same time after a response, the event loop itself checks the files, at a tenth of the cost.
"""
_SETTLE = 5.0
"""Seconds for which the files must be unchanged before authentication is loosened.

A configuration that is half written may lack its end, and with it the users.
"""
_RELOAD_TIMEOUT = 10.0  # seconds
_MOST_STEPS = 6
"""Waits of one call: for an earlier check or load, its own check and its own load, and a margin."""

__all__ = ["ConfigLoaded", "WebConfigFile", "WebSettings"]

log = structlog.get_logger(__name__)


class ConfigLoaded(Protocol):
    """Called after each attempt to load the configuration."""

    def __call__(self, *, successful: bool) -> None:
        """``successful``: whether the configuration is in use now."""


class _Work:
    """A check of the files or a load that is running in a thread."""

    def __init__(self, number: int) -> None:
        self.number = number
        """Counts the loads; 0 for a check."""
        loop = asyncio.get_running_loop()
        self.deadline = loop.time() + _ANSWER
        self.done = loop.create_future()
        self.problems: tuple[Problem, ...] = ()


class WebConfigFile:
    """The web configuration file at ``path`` and the files that it names.

    Blocks while it is created, unless its settings have been ``loaded``, and raises
    :class:`~exporter.errors.ConfigurationError`. With ``require_authentication``, every
    configuration must authenticate all clients.
    """

    def __init__(
        self,
        path: Path,
        *,
        loaded: LoadedSettings | None = None,
        require_authentication: bool = False,
        config_loaded: ConfigLoaded = lambda *, successful: None,  # noqa: ARG005 # nobody listens
    ) -> None:
        self._path, self._require_authentication = path, require_authentication
        self._config_loaded = config_loaded
        loaded = loaded or load_settings(path)
        problems = loaded.problems or self._change_problems(loaded, previous=None)
        if problems:
            raise ConfigurationError(problems)
        self._rejected: tuple[Problem, ...] = ()
        self._logs_again = False
        """Whether problems are logged that have been logged before, because of a reload."""
        self._pending: tuple[LoadedSettings, float] | None = None
        self._work: _Work | None = None
        self._loads = 0
        self._answered = -math.inf
        self._log_limit = LogLimit()
        self._settings = loaded.settings
        self._seen = loaded.files
        self._apply(loaded)

    @property
    def requires_authentication(self) -> bool:
        """Whether every configuration must authenticate all clients, also later ones."""
        return self._require_authentication

    @property
    def settings(self) -> WebSettings:
        """The latest valid settings, without a check of the files."""
        return self._settings

    @property
    def rejected(self) -> str:
        """The problems of the latest version if it was rejected, one a line; else empty."""
        return "\n".join(map(str, self._rejected))

    async def current(self) -> WebSettings:
        """Check the files, and return the settings with all changes made before this call.

        There are two exceptions: files that cannot be read within a second, and a change that
        loosens authentication, which must be unchanged for some seconds.
        """
        loop = asyncio.get_running_loop()
        for _ in range(_MOST_STEPS):
            if self._work is None:
                if loop.time() - self._answered > _ANSWER:
                    self._start(self._check, number=0)
                elif self._versions() == self._seen:
                    self._apply_if_settled(loop.time())
                    break
                else:
                    self._start_load()
            if self._work is not None and not await self._finishes(self._work):
                self._log_no_answer()
                break
        return self._settings

    async def current_config(self) -> WebConfig:
        """Return the configuration of :meth:`current`, for a request.

        Only TLS needs the files that it names. Requests look at valid ones once a second: each look
        costs a hundredth of a scrape.
        """
        file = str(self._path)
        if self._is_settled() and version_of(file) == self._seen[file]:
            return self._settings.config
        return (await self.current()).config

    def _is_settled(self) -> bool:
        """Whether the files were valid, and all have been looked at within a second."""
        if self._work or self._rejected:
            return False
        return asyncio.get_running_loop().time() - self._answered <= _ANSWER

    async def current_tls(self) -> TlsContext:
        """Return the TLS context of :meth:`current`. Only with TLS."""
        tls = (await self.current()).tls
        if tls is None:
            raise RuntimeError("TLS is off")
        return tls

    async def reload(self) -> None:
        """Load the files, even if unchanged, and apply them at once.

        Raises :class:`~exporter.errors.ConfigurationError`; the problems have been logged, even if
        they had been before.
        """
        earlier, self._logs_again = self._loads, True
        try:
            async with asyncio.timeout(_RELOAD_TIMEOUT):
                while True:
                    work = self._work or self._start_load()
                    await asyncio.wait([work.done])
                    began_after_this_call = work.number > earlier
                    if began_after_this_call and not self._is_torn(work.problems):
                        break
        except TimeoutError:
            message = f"cannot be read within {_RELOAD_TIMEOUT:g} s; check its file system"
            raise ConfigurationError((Problem(str(self._path), 0, "", message),)) from None
        if work.problems:
            raise ConfigurationError(work.problems)
        self._apply_if_settled(math.inf)

    def _start_load(self) -> _Work:
        self._loads += 1
        return self._start(lambda: load_settings(self._path), number=self._loads)

    def _start(self, call: Callable[[], LoadedSettings | None], *, number: int) -> _Work:
        """Call ``call`` in a thread, because a lost file system may block forever."""
        loop = asyncio.get_running_loop()
        work = self._work = _Work(number)

        def finish(future: asyncio.Future[LoadedSettings | None]) -> None:
            self._work = None
            self._answered = loop.time()
            try:
                loaded = future.result()
                if loaded is not None:
                    work.problems = self._change(loaded)
            except Exception:
                log.exception("error in the exporter; please report it")
                self._seen = self._versions()  # try again when a file changes, not at once
                message = "an error in the exporter itself; see its log"
                work.problems = (Problem(str(self._path), 0, "", message),)
                self._reject(work.problems)
            work.done.set_result(None)

        loop.run_in_executor(None, call).add_done_callback(finish)
        return work

    async def _finishes(self, work: _Work) -> bool:
        """Return whether ``work`` ends before its own deadline, which no waiting call extends."""
        remaining = work.deadline - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait([work.done], timeout=max(remaining, 0.0))
        return bool(done)

    def _check(self) -> None:
        self._versions()

    def _versions(self) -> dict[str, FileVersion]:
        return {path: version_of(path) for path in self._seen}

    def _change(self, loaded: LoadedSettings) -> tuple[Problem, ...]:
        """Apply ``loaded`` now or later, or return why it is rejected."""
        self._seen, self._pending = loaded.files, None
        problems = loaded.problems or self._change_problems(loaded, previous=self._settings.config)
        if problems:
            if not self._is_torn(problems):
                self._reject(problems)
        elif loosens(self._settings.config, loaded.settings.config):
            self._pending = loaded, asyncio.get_running_loop().time() + _SETTLE
            log.warning(
                "the new web configuration loosens authentication; it takes effect once its files"
                " have been unchanged for some seconds, or at a reload",
                file=str(self._path),
                seconds=_SETTLE,
            )
        else:
            self._apply(loaded)
        return problems

    def _is_torn(self, problems: tuple[Problem, ...]) -> bool:
        """Return whether files with ``problems`` have changed since they were read.

        A certificate may have been read before a renewal, and its key after it. The next check
        finds other versions and loads the files again.
        """
        return bool(problems) and self._versions() != self._seen

    def _change_problems(
        self, loaded: LoadedSettings, *, previous: WebConfig | None
    ) -> tuple[Problem, ...]:
        messages = change_problems(
            previous,
            loaded.settings.config,
            is_empty=loaded.is_empty,
            require_authentication=self._require_authentication,
        )
        return tuple(Problem(str(self._path), 0, path, message) for path, message in messages)

    def _apply_if_settled(self, now: float) -> None:
        if self._pending is not None and now >= self._pending[1]:
            loaded, self._pending = self._pending[0], None
            self._apply(loaded)

    def _apply(self, loaded: LoadedSettings) -> None:
        before, config = self._settings.config, loaded.settings.config
        # A reload that follows a request finds the change in use already; it is one event.
        is_news = loaded.settings is self._settings or config != before or self._rejected
        self._settings, self._rejected, self._logs_again = loaded.settings, (), False
        if is_news:
            log.info(
                "web configuration loaded",
                tls=config.tls is not None,
                users=len(config.users),
                **({"authentication": "removed"} if _removes(before, config) else {}),
            )
        self._config_loaded(successful=True)

    def _reject(self, problems: tuple[Problem, ...]) -> None:
        if problems != self._rejected or self._logs_again:
            self._rejected, self._logs_again = problems, False
            for problem in problems:
                log.error("the new web configuration was rejected", problem=str(problem))
        self._config_loaded(successful=False)

    def _log_no_answer(self) -> None:
        if self._log_limit.request() is not None:
            log.error(
                "the files of the web configuration cannot be checked, because their file system"
                " does not respond; the previous settings stay in use",
                file=str(self._path),
            )


def _removes(before: WebConfig, after: WebConfig) -> bool:
    return before.authenticates and not after.authenticates
