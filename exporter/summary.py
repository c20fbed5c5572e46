"""What people should see of an organization, on the status page and in the output of ``check``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Level = Literal["", "warning", "error"]
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Fact:
    """One value."""

    title: str
    value: int | str
    note: str = ""
    level: Level = ""
    note_level: Level = ""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    label: str
    """A name or an id, perhaps from the network."""
    value: int | str
    limit: int | None = None
    """The largest value that is possible or allowed, None where there is none."""
    id: str = ""
    """The id of what ``label`` names; empty if that is the id."""
    notes: Sequence[str] = ()
    level: Level = ""
    selects: Mapping[str, str] = field(default_factory=dict)
    """The filter that selects the keys of the row: ``policy``, ``owner`` or ``api_key``, with its
    name or id. Empty if the row is not about keys."""


@dataclass(frozen=True)
class Table:
    """A few rows, the most important first."""

    title: str
    short_title: str
    """For a terminal: at most eleven characters."""
    rows: Sequence[Row]
    if_empty: str = ""
    """Shown instead of no rows; without it, an empty table is not shown."""


@dataclass(frozen=True)
class Summary:
    """What one collector contributes."""

    facts: Sequence[Fact] = ()
    tables: Sequence[Table] = ()


def timestamp(at: float) -> str:
    """Return the Unix time ``at`` as ``2026-11-24 06:36:14 UTC``, ``never`` if it has no date."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "never"


def duration(seconds: float) -> str:
    """Return ``seconds`` in the two largest units that matter, such as ``1 h 30 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    rest = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
        if len(parts) == 2:  # noqa: PLR2004 # as the docstring says
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"
