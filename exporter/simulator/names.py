"""Names and descriptions as people write them, or do not."""

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
_PLACES = (*_STAGES, "sandbox", "prod-eu", "prod-us", "data-platform", "dr", "qa")
_ODD_TEXTS = (
    'laptop key, "temporary"\n(delete me)',
    "Bestellungen – Prüfung",  # noqa: RUF001 # people type dashes
    "注文データの書き込み",
    "ключ для отчётов",
    "back\\slash and 'quotes'",
    "🚚 shipping 🚚",
    "line one\r\nline two\ttabbed",
)
_ODD_ACCOUNTS = (
    'fraud "v2" scorer',
    "Prüfung & Abgleich",
    "在庫-consumer",
    "back\\slash mirror",
    "o'reilly-connect",
    "🚚-tracker",
)
_GIVEN = ("Ada", "José", "Zoë", "Mary", "Łukasz", "Priya", "Noah", "Yuki", "Øyvind", "Fatima")
_FAMILY = ("Example", "O'Brien", "Müller", "Nowak", "Specimen", "Garcia", "Tanaka", "Šimek")
_ODD = 0.02
_NAMELESS = 0.25
_UNDESCRIBED = 0.35
_LEFT_OUT = 0.3
_FULL_NAME_MISSING = 0.1


def draw_names(random: Random) -> tuple[str | None, str | None]:
    """Return a display name and a description; either may be empty, or None for missing."""
    if random.random() < _ODD:
        odd = random.choice(_ODD_TEXTS)
        return random.choice((("", odd), (odd, ""), (odd, odd), (None, odd)))
    subject, role, stage = (
        random.choice(_SUBJECTS),
        random.choice(_ROLES),
        random.choice(_STAGES),
    )
    name = _or_nothing(random, f"{subject}-{role}", _NAMELESS)
    return name, _or_nothing(random, f"{subject} {role}, {stage}", _UNDESCRIBED)


def account_names(random: Random) -> Iterator[str]:
    """Yield names of service accounts without end, none twice; six of the first 30 are odd."""
    ordinary = [f"{subject}-{role}" for subject in _SUBJECTS for role in _ROLES]
    random.shuffle(ordinary)
    first = [*ordinary[:24], *_ODD_ACCOUNTS]
    random.shuffle(first)
    yield from chain(first, ordinary[24:])
    for number in count(2):
        yield from (f"{name}-{number}" for name in ordinary)


def draw_description(random: Random, name: str) -> str | None:
    """Return what is said of the account called ``name``; may be empty, or None for missing."""
    return _or_nothing(random, f"Managed by Terraform: {name}", _UNDESCRIBED)


def draw_person(random: Random, number: int) -> tuple[str | None, str]:
    """Return a full name, None for missing, and an address that no other ``number`` has."""
    given, family = random.choice(_GIVEN), random.choice(_FAMILY)
    domain = random.choice(("example.com", "example.org"))
    missing = random.random() < _FULL_NAME_MISSING
    return None if missing else f"{given} {family}", f"person{number}@{domain}"


def place_names() -> Iterator[str]:
    """Yield names of environments without end, none twice, ``prod`` before all."""
    yield from _PLACES
    yield from (f"{subject}-{stage}" for subject in _SUBJECTS for stage in _STAGES)
    yield from (f"team-{number}" for number in count(1))


def draw_cluster_name(random: Random) -> str:
    """Return the name of a Kafka cluster; they are not unique."""
    return random.choice((*_SUBJECTS, "main", "scratch", "Größter Cluster"))


def _or_nothing(random: Random, text: str, probability: float) -> str | None:
    if random.random() >= probability:
        return text
    return None if random.random() < _LEFT_OUT else ""
