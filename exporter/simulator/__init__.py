"""A fake Confluent Cloud, as honest as what is known of the real one allows.

``organization`` and ``records`` hold the truth, ``seed`` draws it, ``life`` changes it; ``api``
shows it over HTTP, in the spellings, with the limits and the faults of the real one.
"""

from exporter.simulator.accounts import Account
from exporter.simulator.api import API_KEYS_PATH, Simulator
from exporter.simulator.faults import FAULTS, Fault, parse_fault
from exporter.simulator.journal import ServedRequest
from exporter.simulator.life import Life
from exporter.simulator.listing import End, Rules
from exporter.simulator.organization import Estate, SimulatedOrganization
from exporter.simulator.rate_limit import RateLimit, RateWindow, Tally, parse_rate_limit
from exporter.simulator.records import (
    CLOUD,
    GLOBAL,
    TABLEFLOW,
    UNHEARD_KIND,
    SimulatedKey,
    SimulatedOwner,
    SimulatedResource,
    Spelling,
)
from exporter.simulator.seed import seeded_organization

__all__ = [
    "API_KEYS_PATH",
    "CLOUD",
    "FAULTS",
    "GLOBAL",
    "TABLEFLOW",
    "UNHEARD_KIND",
    "Account",
    "End",
    "Estate",
    "Fault",
    "Life",
    "RateLimit",
    "RateWindow",
    "Rules",
    "ServedRequest",
    "SimulatedKey",
    "SimulatedOrganization",
    "SimulatedOwner",
    "SimulatedResource",
    "Simulator",
    "Spelling",
    "Tally",
    "parse_fault",
    "parse_rate_limit",
    "seeded_organization",
]
