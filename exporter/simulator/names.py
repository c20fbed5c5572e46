"""Names and descriptions as people write them, or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_SUBJECTS = (
    "orders", "payments", "fraud", "inventory", "clickstream", "billing", "search", "shipping",
    "telemetry", "loyalty", "returns", "pricing",
)  # fmt: skip
_ROLES = ("producer", "consumer", "connect", "streams", "ci", "terraform", "debug", "mirror")
_STAGES = ("prod", "staging", "dev", "test")
_ODD_TEXTS = (
    'laptop key, "temporary"\n(delete me)',
    "Bestellungen – Prüfung",  # noqa: RUF001 # people type dashes
    "注文データの書き込み",
    "ключ для отчётов",
    "back\\slash and 'quotes'",
    "🚚 shipping 🚚",
    "line one\r\nline two\ttabbed",
)
_ODD = 0.02
_NAMELESS = 0.25
_UNDESCRIBED = 0.35
_LEFT_OUT = 0.3


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


def _or_nothing(random: Random, text: str, probability: float) -> str | None:
    if random.random() >= probability:
        return text
    return None if random.random() < _LEFT_OUT else ""
