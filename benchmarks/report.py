"""What was measured: rows with a yardstick and a goal, glances without, and both as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import Spread, ratios, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure beside its yardstick from the same run."""

    section: str
    of: str = ""
    """Of what: a size or a state. Rows of the same stand together."""
    figure: str
    value: Spread
    unit: str = ""
    yardstick: str = ""
    """What it is compared with."""
    yardstick_value: Spread | None = None
    """In the same unit."""
    ratios: Spread | None = None
    """How many times the yardstick, repeat by repeat, where both were measured in turns."""
    goal: str = ""
    reached: bool | None = None
    """None where there is no goal."""

    @property
    def name(self) -> str:
        """All that tells it from other rows, in words."""
        beside = f" beside {self.yardstick}" if self.yardstick else ""
        return ", ".join(filter(None, (self.section, self.of, self.figure))) + beside

    def ratio(self) -> float | None:
        """Return how many times the yardstick it is: repeat by repeat, or that of the medians."""
        if self.ratios is not None:
            return self.ratios.median
        if self.yardstick_value is None or not self.yardstick_value.median:
            return None
        return self.value.median / self.yardstick_value.median


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What one short load of scrapes saw, without a yardstick, a repeat or a goal."""

    section: str
    series: int
    state: str
    encoding: str
    scrapers: int
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    bytes: float
    """Of one body, as it came."""


def paired(  # noqa: PLR0913 # the fields of a row
    *,
    section: str,
    of: str,
    figure: str,
    own: Sequence[float],
    yardstick: str,
    theirs: Sequence[float],
    unit: str,
    least: float | None = None,
    most: float | None = None,
) -> Row:
    """Return the row of two figures that were measured in turns, an item for each repeat.

    ``least`` or ``most``: the goal, in times the yardstick; the median of the repeats is judged.
    Raises ``ValueError`` if there is not one of each for each repeat.
    """
    times = ratios(own, theirs)
    goal, reached = "", None
    if most is not None:
        goal, reached = f"≤ {most:g} {TIMES}", times.median <= most
    elif least is not None:
        goal, reached = f"≥ {least:g} {TIMES}", times.median >= least
    return Row(
        section=section,
        of=of,
        figure=figure,
        value=spread(own),
        unit=unit,
        yardstick=yardstick,
        yardstick_value=spread(theirs),
        ratios=times,
        goal=goal,
        reached=reached,
    )


def missed(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose goal is not reached."""
    return [row for row in rows if row.reached is False]


def verdict(rows: Sequence[Row]) -> str:
    """Return a line for each goal that is missed, or one that says that none is."""
    if lines := [f"missed: {row.name}: {row.goal}" for row in missed(rows)]:
        return "\n".join(lines)
    return f"all {sum(row.reached is not None for row in rows)} goals are reached"


def as_json(rows: Iterable[Row], glances: Iterable[Glance], facts: Mapping[str, object]) -> str:
    """Return all of it: ``facts``, ``rows`` with their fields and ``ratio``, and ``glances``."""
    document = {
        "facts": facts,
        "rows": [{**asdict(row), "ratio": row.ratio()} for row in rows],
        "glances": [asdict(glance) for glance in glances],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
