"""Checks whether a request was sent to a loopback name.

Without authentication, a website in the browser of an operator could read what the exporter serves:
after the page has been loaded, its host name is changed to resolve to 127.0.0.1 (DNS rebinding).
The browser still sends that name in the header ``Host``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.config.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]{0,5})?")


def is_sent_to_loopback(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether the only ``Host`` of a request is ``localhost``, 127.0.0.0/8 or ``[::1]``."""
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    return len(hosts) == 1 and _is_loopback(hosts[0])


def _is_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if match["six"] is not None:
        return match["six"] == "::1"
    return is_loopback(match["name"].lower())
