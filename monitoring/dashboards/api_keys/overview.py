"""The top of the dashboard about the keys: current numbers and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.inventory import POLICIES
from monitoring.dashboards.api_keys.findings import TITLES
from monitoring.dashboards.api_keys.quotas import STEPS, share
from monitoring.dashboards.dashboard import HEALTH, panel_link
from monitoring.dashboards.panels import (
    BAD,
    COUNT,
    DAYS,
    GOOD,
    NEUTRAL,
    WARNING,
    Position,
    Query,
    bars,
    number,
)
from monitoring.dashboards.queries import RANGE, findings, gauge, max_of_replicas, or_zero, selector
from monitoring.dashboards.shared import data_age, firing, organizations_failing

if TYPE_CHECKING:
    from monitoring.dashboards.panels import AnyPanel
    from monitoring.dashboards.sdk import stat


def panels() -> list[AnyPanel]:
    """Return two lines of four numbers, the findings next to them, and the alerts below."""
    why = panel_link("Why? API and exporter health", HEALTH)
    return [
        organizations_failing(
            Position(7, x=0, y=0, w=4, h=4),
            collector="api_keys",
            description="Organizations whose latest key listing failed on at least one replica."
            " Until `stale_after` their numbers come from the latest successful"
            " listing. After that they are missing, and totals are too low. The"
            " health dashboard shows the organizations and the reasons.",
        ).links([why]),
        data_age(Position(6, x=4, y=0, w=4, h=4)).links([why]),
        _keys(Position(1, x=8, y=0, w=4, h=4)),
        _owners(Position(2, x=12, y=0, w=4, h=4)),
        _oldest(Position(3, x=0, y=4, w=4, h=4)),
        _next_expiry(Position(4, x=4, y=4, w=4, h=4)),
        _fullest_quota(Position(5, x=8, y=4, w=4, h=4)),
        _change(Position(8, x=12, y=4, w=4, h=4)),
        _findings(Position(9, x=16, y=0, w=8, h=8)),
        firing(Position(10, x=0, y=8, w=24, h=6)),
    ]


def _keys(position: Position) -> stat.Panel:
    return number(
        position,
        title="Keys",
        description="API keys of the selected organizations. A key for several resources counts"
        " once. Other variables do not apply.",
        unit=COUNT,
        no_value="not reported",
        queries=[Query(f"sum({gauge(catalogue.ORGANIZATION_API_KEYS)})")],
    )


def _owners(position: Position) -> stat.Panel:
    owners = gauge(catalogue.OWNER_API_KEYS, 'owner_kind!="internal"')
    return number(
        position,
        title="Owners",
        description="Service accounts and users that own API keys, in the selected organizations"
        " and owner kinds.",
        unit=COUNT,
        no_value="not reported",
        # Confluent's own keys have no owner.
        queries=[Query(or_zero(f"count({owners})"))],
    )


def _colored(value: str, policy: str, color: str) -> list[Query]:
    """Return ``value`` in ``color`` if ``policy`` has findings, green if not, blue if it is off.

    Findings account for exemptions and the different durations of the organizations.
    """
    found = findings(policy)
    return [
        Query(f"{value} and on () ({found} > 0)", color=color),
        Query(f"{value} and on () ({found} == 0)", color=GOOD),
        Query(f"{value} unless on () {found}", color=NEUTRAL),
    ]


def _oldest(position: Position) -> stat.Panel:
    return number(
        position,
        title="Oldest key",
        description="Age of the oldest key of the selected organizations and owner kinds. Red: at"
        " least one key is older than its organization's policy `max_age` and not exempt. Blue:"
        " that policy is off. List these keys with `confluent-api-keys-exporter report"
        " --policy=max_age`, then replace and delete them.",
        unit=DAYS,
        no_value="none known",
        decimals=0,
        queries=_colored(
            f"max(time() - {gauge(catalogue.OLDEST_API_KEY)}) / 86400", "max_age", BAD
        ),
    )


def _next_expiry(position: Position) -> stat.Panel:
    left = f"clamp_min(min({gauge(catalogue.NEXT_EXPIRY)} - time()), 0) / 86400"
    return number(
        position,
        title="Next expiry",
        description="Time until the next key of the selected organizations and owner kinds"
        " expires. Orange: at least one key expires within its organization's policy"
        " `expires_within`. Blue: that policy is off. List these keys with"
        " `confluent-api-keys-exporter report --policy=expires_within` and replace them in time.",
        unit=DAYS,
        no_value="no expiry known",
        decimals=1,
        queries=_colored(left, "expires_within", WARNING),
    )


def _fullest_quota(position: Position) -> stat.Panel:
    return number(
        position,
        title="Fullest quota",
        description="The fullest quota of the selected organizations, as a share of its limit."
        " Orange from 80 %, red from 95 %. When it is full, no more keys can be created. Delete"
        " keys or ask Confluent for a higher limit. The Quotas row names the quota.",
        unit="percentunit",
        no_value="not reported",
        decimals=0,
        queries=[Query(f"max({share()})")],
        steps=STEPS,
    )


def _change(position: Position) -> stat.Panel:
    before = max_of_replicas(f"{selector(catalogue.ORGANIZATION_API_KEYS)} offset {RANGE}")
    return number(
        position,
        title="Change",
        description="Keys now minus keys at the start of the time range, for the selected"
        " organizations. Excludes organizations that were not monitored at the start. Other"
        " variables do not apply.",
        unit=COUNT,
        no_value="not monitored then",
        queries=[Query(f"sum({gauge(catalogue.ORGANIZATION_API_KEYS)} - {before})")],
    )


def _findings(position: Position) -> AnyPanel:
    return bars(
        position,
        title="Findings by policy",
        description="Keys that violate each policy and are not exempt, for the selected"
        " organizations and owner kinds. A policy that is off everywhere or cannot be evaluated"
        " has no bar. Organizations with stale data are missing from these counts; check that"
        " Organizations failing is 0. List the keys with `confluent-api-keys-exporter report"
        " --policy=max_age` or another policy.",
        unit=COUNT,
        no_value="not evaluated",
        queries=[Query(findings(policy), TITLES[policy]) for policy in POLICIES],
        steps=((0, GOOD), (1, WARNING)),
    )
