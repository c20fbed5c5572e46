"""Panels that both dashboards begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from grafana.panels import BAD, GOOD, WARNING, Query, Text, number
from grafana.queries import gauge

if TYPE_CHECKING:
    from grafana.panels import Spot
    from grafana.sdk import stat

_KEYS = 'collector="api_keys"'


def data_age(spot: Spot) -> stat.Panel:
    """Return how long ago the worst organization's keys were listed."""
    age = f"(time() - {gauge(catalogue.LAST_SUCCESS, _KEYS)})"
    worst = f"max({age})"
    limit = f"max by (organization, collector) ({gauge(catalogue.STALE_AFTER, _KEYS)})"
    stale = f"{age} > on (organization, collector) group_left () {limit}"
    failed = f"{gauge(catalogue.UP, _KEYS)} == 0"
    return number(
        spot,
        Text(
            title="Data age",
            about="Time since the keys of an organization were last listed completely; the worst"
            " of the chosen organizations. Orange: its latest refresh failed, or that of another."
            " Red: the age is beyond `stale_after`, and the organization's counts are gone. The"
            " health dashboard tells the reason.",
            unit="s",
            none="unknown",
            decimals=0,
        ),
        [
            Query(f"{worst} and on () ({stale})", color=BAD),
            Query(f"({worst} and on () ({failed})) unless on () ({stale})", color=WARNING),
            Query(f"{worst} unless on () ({stale}) unless on () ({failed})", color=GOOD),
        ],
    )


def organizations_failing(spot: Spot, *, collector: str = "", about: str) -> stat.Panel:
    """Return how many organizations have a failing collector, or fail in one."""
    matchers = [f'collector="{collector}"'] if collector else []
    failing = f"max by (organization) ({gauge(catalogue.UP, *matchers)} == bool 0)"
    return number(
        spot,
        Text(
            title="Organizations failing", about=about, unit="none", none="not reported", decimals=0
        ),
        [Query(f"sum({failing})")],
        base=GOOD,
        steps=((1, BAD),),
    )
