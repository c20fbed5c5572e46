"""Panels that both dashboards begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from monitoring.dashboards.panels import BAD, GOOD, WARNING, Query, Text, number
from monitoring.dashboards.queries import by, gauge, least
from monitoring.dashboards.sdk import model

if TYPE_CHECKING:
    from monitoring.dashboards.panels import Spot
    from monitoring.dashboards.sdk import stat

COLLECTOR = ("organization", "collector")
_KEYS = 'collector="api_keys"'
_NEVER = -1
"""Stands for an age that is not known, where there was no listing at all."""


def age(*matchers: str) -> str:
    """Return the seconds since each collector last succeeded."""
    return by(COLLECTOR, f"time() - {gauge(catalogue.LAST_SUCCESS, *matchers)}")


def limit(*matchers: str) -> str:
    """Return the seconds from which on what each collector found is too old to be shown."""
    return by(COLLECTOR, gauge(catalogue.STALE_AFTER, *matchers))


def failing(*matchers: str) -> str:
    """Return the collectors whose latest refresh failed, of one replica at least."""
    return f"{by(COLLECTOR, least(catalogue.UP, *matchers), 'min')} == 0"


def never(*matchers: str) -> str:
    """Return the collectors that fail and never succeeded since the exporters were started."""
    return f"({limit(*matchers)} unless {age(*matchers)} and {failing(*matchers)})"


def data_age(spot: Spot) -> stat.Panel:
    """Return how long ago the worst organization's keys were listed."""
    old = f"{age(_KEYS)} > {limit(_KEYS)}"
    gone = f"max({old}) or {_NEVER} * group({never(_KEYS)})"
    failed = f"max({age(_KEYS)} and {failing(_KEYS)})"
    panel = number(
        spot,
        Text(
            title="Data age",
            about="Time since the keys were last listed completely, for the selected organization"
            " where this is longest or past its limit. Red: it is past `stale_after`, or no"
            " listing has succeeded since the exporter started, and the organization's"
            " numbers have disappeared. Orange: the latest refresh failed on at least one"
            " replica. Green: all succeed. The health dashboard names the organization and"
            " the reason.",
            unit="s",
            none="unknown",
            decimals=0,
        ),
        [
            Query(gone, color=BAD),
            Query(f"{failed} unless on () ({gone})", color=WARNING),
            Query(f"max({age(_KEYS)}) unless on () ({gone}) unless on () {failed}", color=GOOD),
        ],
    )
    words = model.ValueMappingResult(text="never")
    return panel.mappings([model.ValueMap(options={str(_NEVER): words})])


def organizations_failing(spot: Spot, *, collector: str = "", about: str) -> stat.Panel:
    """Return how many organizations have a failing collector, or fail in one."""
    matchers = [f'collector="{collector}"'] if collector else []
    failed = f"max by (organization) ({least(catalogue.UP, *matchers)} == bool 0)"
    return number(
        spot,
        Text(
            title="Organizations failing", about=about, unit="none", none="not reported", decimals=0
        ),
        [Query(f"sum({failed})")],
        steps=((0, GOOD), (1, BAD)),
    )
