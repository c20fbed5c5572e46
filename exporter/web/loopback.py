"""Whether a request was sent to a loopback name.

Without authentication, a page in the browser of an operator could read everything that the browser
reaches: its host name is made to resolve to 127.0.0.1 after it was loaded (DNS rebinding). The
browser then still sends that name in the header ``Host``.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]{0,5})?")


def is_sent_to_loopback(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the only ``Host`` of a request is ``localhost``, 127.0.0.0/8 or ``[::1]``."""
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    return len(hosts) == 1 and _is_loopback(hosts[0])


def _is_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if match["six"] is not None:
        return match["six"] == "::1"
    if match["name"].lower() == "localhost":
        return True
    try:
        return IPv4Address(match["name"]).is_loopback
    except AddressValueError:
        return False
