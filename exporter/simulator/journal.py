"""What was asked of the simulator, for tests to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

JOURNAL_LENGTH = 10_000


@dataclass
class ServedRequest:
    """One request, in the order of arrival."""

    number: int
    """Counted from 1 since the start or the latest reset."""
    time: float
    """Monotonic seconds at its arrival."""
    method: str
    path: str
    query: Mapping[str, str]
    """Decoded; of a parameter that was given twice, the last value."""
    authorized: bool
    """Whether there was an ``Authorization`` header; its value is kept nowhere."""
    request_id: str
    number_of_path: int = 1
    """As ``number``, of the requests to this path only."""
    account: str | None = None
    """The id of the API key, if its credentials were accepted."""
    status: int | None = None
    """None until it is answered, and for ever if the client leaves before."""
