"""A fake Confluent Cloud, as honest as what is known of the real one allows.

``organization``, ``directory`` and ``records`` hold the truth, ``seed`` draws it, ``life`` changes
it, ``quotas`` are worked out from it; ``api`` shows it over HTTP, by the table of ``listings``, in
the spellings, with the limits and the faults of the real one.
"""

from exporter.simulator.accounts import Account
from exporter.simulator.api import Simulator
from exporter.simulator.directory import Directory
from exporter.simulator.faults import FAULT_GRAMMAR, FAULTS, Fault, parse_fault
from exporter.simulator.journal import ServedRequest
from exporter.simulator.life import Life
from exporter.simulator.organization import Estate, SimulatedOrganization
from exporter.simulator.paths import (
    API_KEYS_PATH,
    APPLIED_QUOTAS_PATH,
    ENVIRONMENTS_PATH,
    KAFKA_CLUSTERS_PATH,
    KSQL_CLUSTERS_PATH,
    ORGANIZATIONS_PATH,
    PATHS,
    QUOTA_SCOPES_PATH,
    REGIONS_PATH,
    SCHEMA_REGISTRIES_PATH,
    SERVICE_ACCOUNTS_PATH,
    USERS_PATH,
)
from exporter.simulator.query import End, Rules
from exporter.simulator.rate_limit import RateLimit, RateWindow, Tally, parse_rate_limit
from exporter.simulator.records import (
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    UNHEARD_KIND,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedKey,
    SimulatedOwner,
    SimulatedQuota,
    SimulatedRegion,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUser,
    Spelling,
)
from exporter.simulator.seed import seeded_organization

__all__ = [
    "API_KEYS_PATH",
    "APPLIED_QUOTAS_PATH",
    "CLOUD",
    "ENVIRONMENTS_PATH",
    "FAULTS",
    "FAULT_GRAMMAR",
    "GLOBAL",
    "KAFKA_CLUSTERS_PATH",
    "KSQL_CLUSTERS_PATH",
    "ORGANIZATIONS_PATH",
    "PATHS",
    "QUOTA_SCOPES_PATH",
    "REGIONS_PATH",
    "SCHEMA_REGISTRIES_PATH",
    "SERVICE_ACCOUNTS_PATH",
    "TABLEFLOW",
    "UNHEARD_KIND",
    "USERS_PATH",
    "Account",
    "Directory",
    "End",
    "Estate",
    "Fault",
    "Life",
    "RateLimit",
    "RateWindow",
    "Rules",
    "ServedRequest",
    "SimulatedCluster",
    "SimulatedEnvironment",
    "SimulatedKey",
    "SimulatedOrganization",
    "SimulatedOwner",
    "SimulatedQuota",
    "SimulatedRegion",
    "SimulatedResource",
    "SimulatedServiceAccount",
    "SimulatedUser",
    "Simulator",
    "Spelling",
    "Tally",
    "parse_fault",
    "parse_rate_limit",
    "seeded_organization",
]
