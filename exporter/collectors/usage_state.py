"""The slice of the state that the usage collector owns."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.inventory import Usage
from exporter.refresh import Slice


@dataclass(frozen=True)
class UsageState:
    """The usage of one organization."""

    known: Usage = field(default_factory=Usage)
    """Everything that is known."""
    current: Usage = field(default_factory=Usage)
    """The part of ``known`` that is not too old to evaluate keys by."""


USAGE = Slice("usage", UsageState())
