"""What the refresh loops need of a collector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exporter.refresh.state import OrganizationState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.confluent.host import Host
    from exporter.confluent.request import Budget
    from exporter.refresh.failure import Failure

Change = Callable[[OrganizationState], OrganizationState]


@dataclass(frozen=True)
class Outcome:
    """The result of one collection."""

    apply: Change
    """Applies it to the state."""
    failure: Failure | None = None
    """Why a part of it could not be fetched; the rest is in ``apply``."""
    on_published: Callable[[], None] = lambda: None
    """Called off the event loop once the new state is published."""


class RefreshedCollector(Protocol):
    """One kind of data that is fetched for an organization."""

    @property
    def name(self) -> str:
        """Value of the label ``collector``, and the key of its slice of the state."""

    @property
    def interval(self) -> float:
        """Seconds from the start of one refresh to the start of the next."""

    @property
    def stale_after(self) -> float | None:
        """Seconds after the start of a listing until it is too old to be published, or None."""

    @property
    def low_priority(self) -> bool:
        """Whether it yields to the key listing, and is skipped while that is refused."""

    @property
    def host_name(self) -> str:
        """The host of its requests: ``api``, or ``metrics`` for the Metrics API."""

    @property
    def endpoints(self) -> Sequence[str]:
        """The path templates of its requests."""

    async def collect(self, host: Host, budget: Budget, state: OrganizationState) -> Outcome:
        """Fetch everything; ``state`` is the current one.

        Raises :class:`~exporter.errors.ApiError`; the state then stays as it is.
        """

    def derive(self, state: OrganizationState, *, now: float) -> OrganizationState:
        """Return ``state`` with its own slice computed again if anything it depends on has changed.

        It may depend on the settings and on the slices of later collectors. Called at the Unix time
        ``now``, off the event loop, after every change of the state and after a reload, for the
        last collector first.
        """
