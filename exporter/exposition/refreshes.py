"""The metrics of the refreshes themselves, and of the token that they use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.exposition import catalogue
from exporter.exposition.rendering import Part, optional, part
from exporter.refresh import REFRESH_FAILURE_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.exposition.catalogue import Metric
    from exporter.exposition.rendering import Samples
    from exporter.refresh import OrganizationState


class RefreshRenderer:
    """Renders the state of each collector's refreshes."""

    metrics = catalogue.REFRESH.metrics

    def render(self, state: OrganizationState, before: OrganizationState | None) -> Iterable[Part]:
        """See :class:`~exporter.exposition.rendering.Renderer`."""
        del before
        yield part(_samples(state))


def _samples(state: OrganizationState) -> Iterator[tuple[Metric, Samples]]:
    name, collectors = state.name, state.refreshes.items()
    ended = [(each, one) for each, one in collectors if one.finished is not None]
    yield catalogue.UP, [((name, each), one.up) for each, one in ended]
    for metric, values in (
        (catalogue.STALE_AFTER, {each: one.stale_after for each, one in collectors}),
        (catalogue.LAST_SUCCESS, {each: one.succeeded for each, one in ended}),
        (catalogue.REFRESH_DURATION, {each: one.duration for each, one in ended}),
    ):
        yield (
            metric,
            [((name, each), value) for each, value in values.items() if value is not None],
        )
    ratios: dict[str, float] = {}
    for _, one in sorted(ended, key=lambda each: each[1].finished or 0.0):
        ratios.update(one.error_ratios)  # of the latest refresh that used the endpoint
    yield catalogue.ERROR_RATIO, [((name, endpoint), at) for endpoint, at in ratios.items()]
    yield catalogue.REFRESHES, [((name, each), one.refreshes) for each, one in collectors]
    yield (
        catalogue.REFRESH_FAILURES,
        [
            ((name, each, reason), one.failures.get(reason, 0))
            for each, one in collectors
            for reason in REFRESH_FAILURE_REASONS
        ],
    )
    failing = [(each, one.failure.reason) for each, one in ended if one.failure is not None]
    yield catalogue.REFRESH_FAILING, [((name, *each), 1) for each in failing]
    expiry = None if state.token is None else state.token.expires
    yield catalogue.TOKEN_EXPIRY, optional((name,), expiry)
