"""Names of keys, accounts, environments, clusters and regions, as found in real organizations."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_SUBJECTS = (
    "orders", "payments", "fraud", "inventory", "clickstream", "billing", "search", "shipping",
    "telemetry", "loyalty", "returns", "pricing",
)  # fmt: skip
_ROLES = ("producer", "consumer", "connect", "streams", "ci", "terraform", "debug", "mirror")
_STAGES = ("prod", "staging", "dev", "test")
_ENVIRONMENTS = (*_STAGES, "sandbox", "prod-eu", "prod-us", "data-platform", "dr", "qa")
_UNUSUAL_TEXTS = (
    'laptop key, "temporary"\n(delete me)',
    "Bestellungen – Prüfung",  # noqa: RUF001 # people type dashes
    "注文データの書き込み",
    "ключ для отчётов",
    "back\\slash and 'quotes'",
    "🚚 shipping 🚚",
    "line one\r\nline two\ttabbed",
)
_UNUSUAL_ACCOUNTS = (
    'fraud "v2" scorer',
    "Prüfung & Abgleich",
    "在庫-consumer",
    "back\\slash mirror",
    "o'reilly-connect",
    "🚚-tracker",
)
ORGANIZATIONS = ("Example Logistics", "Specimen & Söhne", "Acme Retail", "Sample Bank", "注文堂")
REGIONS: dict[str, str] = {
    "aws.us-east-1": "N. Virginia (us-east-1)",
    "aws.eu-central-1": "Frankfurt (eu-central-1)",
    "aws.ap-southeast-2": "Sydney (ap-southeast-2)",
    "azure.westeurope": "Netherlands (westeurope)",
    "azure.eastus": "Virginia (eastus)",
    "gcp.europe-west3": "Frankfurt (europe-west3)",
    "aws.us-east-2": "Ohio (us-east-2)",
    "aws.us-west-2": "Oregon (us-west-2)",
    "aws.sa-east-1": "São Paulo (sa-east-1)",
    "azure.northeurope": "Ireland (northeurope)",
    "gcp.us-central1": "Iowa (us-central1)",
    "gcp.asia-southeast1": "Singapore (asia-southeast1)",
}
"""The display names of regions that offer Flink, by id."""
USED_REGIONS = tuple(REGIONS)[:6]
"""Regions in use by seeded organizations; nothing runs in the others."""
_GIVEN = ("Ada", "José", "Zoë", "Mary", "Łukasz", "Priya", "Noah", "Yuki", "Øyvind", "Fatima")
_FAMILY = ("Example", "O'Brien", "Müller", "Nowak", "Specimen", "Garcia", "Tanaka", "Šimek")
_UNUSUAL = 0.02
_UNNAMED = 0.25
_UNDESCRIBED = 0.35
_MISSING = 0.3
_WITHOUT_FULL_NAME = 0.1


def draw_key_names(random: Random) -> tuple[str | None, str | None]:
    """Return a display name and a description; either may be empty, or None for missing."""
    if random.random() < _UNUSUAL:
        unusual = random.choice(_UNUSUAL_TEXTS)
        return random.choice((("", unusual), (unusual, ""), (unusual, unusual), (None, unusual)))
    subject, role = random.choice(_SUBJECTS), random.choice(_ROLES)
    stage = random.choice(_STAGES)
    name = _text_or_none(random, f"{subject}-{role}", _UNNAMED)
    return name, _text_or_none(random, f"{subject} {role}, {stage}", _UNDESCRIBED)


def account_names(random: Random) -> Iterator[str]:
    """Yield unlimited unique names of service accounts; six of the first 30 are unusual."""
    ordinary = [f"{subject}-{role}" for subject in _SUBJECTS for role in _ROLES]
    random.shuffle(ordinary)
    first = [*ordinary[:24], *_UNUSUAL_ACCOUNTS]
    random.shuffle(first)
    yield from chain(first, ordinary[24:])
    for number in count(2):
        yield from (f"{name}-{number}" for name in ordinary)


def draw_account_description(random: Random, name: str) -> str | None:
    """Return the description of the account ``name``; may be empty, or None for missing."""
    return _text_or_none(random, f"Managed by Terraform: {name}", _UNDESCRIBED)


def draw_person(random: Random, number: int) -> tuple[str | None, str]:
    """Return a full name, None for missing, and an email address that is unique per ``number``."""
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    domain = random.choice(("example.com", "example.org"))
    missing = random.random() < _WITHOUT_FULL_NAME
    return None if missing else f"{given} {family}", f"person{number}@{domain}"


def environment_names() -> Iterator[str]:
    """Yield unlimited unique names of environments, ``prod`` first."""
    yield from _ENVIRONMENTS
    yield from (f"{subject}-{stage}" for subject in _SUBJECTS for stage in _STAGES)
    yield from (f"team-{number}" for number in count(1))


def draw_cluster_name(random: Random) -> str:
    """Return the name of a Kafka cluster. Names of clusters are not unique."""
    return random.choice((*_SUBJECTS, "main", "scratch", "Größter Cluster"))


def ksql_name(cluster_id: str) -> str:
    """Return the name of a ksqlDB cluster, which CRNs of keys contain instead of its id."""
    return f"app_{cluster_id[-6:]}"


def _text_or_none(random: Random, text: str, probability: float) -> str | None:
    if random.random() >= probability:
        return text
    return None if random.random() < _MISSING else ""
