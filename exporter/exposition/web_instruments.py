"""The metrics of the exporter's own web server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.text import header, lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.clock import Clock
    from exporter.exposition.text import Format


class WebInstruments:
    """The metrics of the web configuration file and of the clients that it rejects.

    ``exposed``: whether such a file is in use. It was valid at the start, because the exporter does
    not start with an invalid one.
    """

    def __init__(self, *, clock: Clock, exposed: bool) -> None:
        self._clock = clock
        self._exposed = exposed
        self._successful = True
        self._loaded = clock.wall()
        self._tls_handshake_failures = 0
        self._authentication_failures = 0
        self._rendered: dict[Format, bytes] = {}
        """The metrics, rendered since their latest change."""

    def config_loaded(self, *, successful: bool) -> None:
        """Record whether the web configuration file could be loaded."""
        self._successful = successful
        if successful:
            self._loaded = self._clock.wall()
        self._rendered.clear()

    def tls_handshake_failed(self) -> None:
        """Count a connection whose TLS handshake failed."""
        self._tls_handshake_failures += 1
        self._rendered.clear()

    def authentication_failed(self) -> None:
        """Count a request with a wrong user name or password."""
        self._authentication_failures += 1
        self._rendered.clear()

    def render(self, form: Format) -> bytes:
        """Return the lines of the metrics, which are empty unless they are exposed."""
        if not self._exposed:
            return b""
        rendered = self._rendered.get(form)
        if rendered is None:
            values = {
                catalogue.WEB_CONFIG_RELOAD_SUCCESSFUL: self._successful,
                catalogue.WEB_CONFIG_RELOAD_TIMESTAMP: self._loaded,
                catalogue.WEB_TLS_HANDSHAKE_FAILURES: self._tls_handshake_failures,
                catalogue.WEB_AUTHENTICATION_FAILURES: self._authentication_failures,
            }
            rendered = self._rendered[form] = "".join(
                header(metric, form) + lines(metric, [((), value)])
                for metric, value in values.items()
            ).encode()
        return rendered


def render_keys_page_info(url: str, organizations: Iterable[str], form: Format) -> bytes:
    """Return the lines with the ``url`` of the page that lists the keys, by organization."""
    metric = catalogue.KEYS_PAGE_INFO
    samples = [((organization, url), 1) for organization in organizations]
    return (header(metric, form) + lines(metric, samples)).encode()
