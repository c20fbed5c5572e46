"""A simulated Confluent Cloud for the demo and the tests.

It asserts no more about the real API than ``docs/confluent-cloud-api.md`` does.

An ``organization`` holds ``records`` of the ``model``, from which its ``quotas`` are computed.
``seed`` generates one, a ``lifecycle`` and the machines of ``rotation`` change it. The ``server``
serves organizations over HTTP: it authenticates (``accounts``), counts (``rate_limit``), injects
``faults``, and leaves the content to a service, which is ``listings`` here. The ``sts`` exchanges
the tokens of an ``identity_provider`` for bearer tokens, which it accepts as well as API keys.
The ``metrics_api`` answers from the ``usage`` of an organization.
"""

from exporter.simulator.accounts import Account
from exporter.simulator.flags import (
    FAULT_GRAMMAR,
    FAULTS,
    Fault,
    SimulatedRateLimit,
    parse_fault,
    parse_rate_limit,
)
from exporter.simulator.identity_provider import IdentityProvider
from exporter.simulator.lifecycle import Lifecycle
from exporter.simulator.listings import ApiOptions
from exporter.simulator.model import (
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    UNRECOGNIZED_KIND,
    ItemFormat,
    SimulatedCluster,
    SimulatedEnvironment,
    SimulatedKey,
    SimulatedOwner,
    SimulatedQuota,
    SimulatedRegion,
    SimulatedResource,
    SimulatedServiceAccount,
    SimulatedUser,
)
from exporter.simulator.organization import Entities, SimulatedOrganization
from exporter.simulator.paging import End
from exporter.simulator.paths import (
    API_KEYS_PATH,
    APPLIED_QUOTAS_PATH,
    ENVIRONMENTS_PATH,
    IDENTITY_PROVIDER_PATH,
    KAFKA_CLUSTERS_PATH,
    KSQL_CLUSTERS_PATH,
    METRICS_DESCRIPTORS_PATH,
    METRICS_QUERY_PATH,
    ORGANIZATIONS_PATH,
    QUOTA_SCOPES_PATH,
    REGIONS_PATH,
    SCHEMA_REGISTRIES_PATH,
    SERVICE_ACCOUNTS_PATH,
    STS_PATH,
    USERS_PATH,
)
from exporter.simulator.rate_limit import RateWindow
from exporter.simulator.requests import ServedRequest
from exporter.simulator.rotation import MACHINES, Leases, Rotation, SecretsManager, machine_of
from exporter.simulator.seed import seeded_organization
from exporter.simulator.server import Simulator
from exporter.simulator.sts import IdentityPool
from exporter.simulator.usage import PrincipalLabel, SimulatedUsage, Workload

__all__ = [
    "API_KEYS_PATH",
    "APPLIED_QUOTAS_PATH",
    "CLOUD",
    "ENVIRONMENTS_PATH",
    "FAULTS",
    "FAULT_GRAMMAR",
    "GLOBAL",
    "IDENTITY_PROVIDER_PATH",
    "KAFKA_CLUSTERS_PATH",
    "KSQL_CLUSTERS_PATH",
    "MACHINES",
    "METRICS_DESCRIPTORS_PATH",
    "METRICS_QUERY_PATH",
    "ORGANIZATIONS_PATH",
    "QUOTA_SCOPES_PATH",
    "REGIONS_PATH",
    "SCHEMA_REGISTRIES_PATH",
    "SERVICE_ACCOUNTS_PATH",
    "STS_PATH",
    "TABLEFLOW",
    "UNRECOGNIZED_KIND",
    "USERS_PATH",
    "Account",
    "ApiOptions",
    "End",
    "Entities",
    "Fault",
    "IdentityPool",
    "IdentityProvider",
    "ItemFormat",
    "Leases",
    "Lifecycle",
    "PrincipalLabel",
    "RateWindow",
    "Rotation",
    "SecretsManager",
    "ServedRequest",
    "SimulatedCluster",
    "SimulatedEnvironment",
    "SimulatedKey",
    "SimulatedOrganization",
    "SimulatedOwner",
    "SimulatedQuota",
    "SimulatedRateLimit",
    "SimulatedRegion",
    "SimulatedResource",
    "SimulatedServiceAccount",
    "SimulatedUsage",
    "SimulatedUser",
    "Simulator",
    "Workload",
    "machine_of",
    "parse_fault",
    "parse_rate_limit",
    "seeded_organization",
]
