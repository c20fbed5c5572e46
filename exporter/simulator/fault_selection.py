"""Selects the faults that affect a request."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.flags import Fault, parse_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.simulator.requests import ServedRequest


class FaultSelector:
    """Selects faults by their probability, as ``seed`` determines, and scripted ones by number."""

    def __init__(self, *, seed: int) -> None:
        self._random = Random(f"faults {seed}")
        self._script: dict[tuple[str | None, int], list[Fault]] = {}

    def script(self, request_number: int, faults: Iterable[Fault | str], path: str | None) -> None:
        """Add faults or their SPECs for one request. With ``path``, count only requests to it."""
        self._script.setdefault((path, request_number), []).extend(
            parse_fault(fault) if isinstance(fault, str) else fault for fault in faults
        )

    def clear_script(self) -> None:
        """Remove all scripted faults."""
        self._script.clear()

    def select(self, faults: Iterable[Fault], request: ServedRequest, path: str) -> list[Fault]:
        """Return the scripted faults of ``request`` and those of ``faults`` that affect it.

        ``path``: the path of the request without a prefix.
        """
        scripted = (
            *self._script.pop((None, request.number), ()),
            *self._script.pop((path, request.number_of_path), ()),
        )
        here = [fault for fault in faults if fault.path in {None, path}]
        return [
            *(fault for fault in scripted if fault.path in {None, path}),
            *(fault for fault in here if self._random.random() < fault.probability),
        ]
