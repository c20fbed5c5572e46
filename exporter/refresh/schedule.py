"""The time of the next refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_FIRST_RETRY = 30.0  # seconds
_JITTER = 0.1  # of the interval
_NEED_A_PERSON = frozenset(
    {"unauthorized", "forbidden", "bad_request", "not_found", "token_refused"}
)


def delay_after_success(*, interval: float, took: float) -> float:
    """Return the seconds from the end of a refresh to the start of the next.

    The interval counts from start to start.
    """
    return max(0.0, interval - took)


def delay_after_failure(
    *, reason: str, failures_in_a_row: int, interval: float, random: Random
) -> float:
    """Return the seconds from the end of a failed refresh to the next one's start.

    The delay is 30 s, doubled with each further failure, up to the interval, and then shortened by
    up to half at random, so that organizations that failed together do not retry together. Failures
    that only a person can fix (credentials, roles, the request itself) are retried once per
    interval.

    ``failures_in_a_row``: at least 1.
    """
    if reason in _NEED_A_PERSON:
        return interval * random.uniform(1, 1 + _JITTER)
    # The exponent is bounded only to keep the float finite.
    longest = min(interval, _FIRST_RETRY * 2.0 ** min(failures_in_a_row - 1, 60))
    return random.uniform(longest / 2, longest)
