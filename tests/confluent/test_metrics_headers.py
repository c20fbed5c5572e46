"""The rate-limit headers of the Metrics API, which come once for each scope."""

from __future__ import annotations

import httpx
import pytest

from exporter.confluent.headers import METRICS
from exporter.confluent.throttle import RateLimitStatus


@pytest.mark.parametrize(
    ("limits", "remaining", "resets", "status"),
    [
        (["300"], ["120"], ["40"], RateLimitStatus(300, 120, 40)),
        (["300", "160"], ["120", "3"], ["40", "3000"], RateLimitStatus(160, 3, 3000)),
        (["160", "300"], ["159", "1"], ["3000", "40"], RateLimitStatus(300, 1, 40)),
        (["300", "160"], ["0", "0"], ["40", "3000"], RateLimitStatus(160, 0, 3000)),
        (["300", "160"], ["7"], ["40", "3000"], RateLimitStatus(160, 7, 3000)),
        (["300", "many"], ["9", "7"], [], RateLimitStatus(300, 7, None)),
        ([], [], [], RateLimitStatus()),
    ],
)
def test_the_tightest_scope_applies(
    limits: list[str], remaining: list[str], resets: list[str], status: RateLimitStatus
) -> None:
    headers = httpx.Headers(
        [("rateLimit-limit", each) for each in limits]
        + [("rateLimit-remaining", each) for each in remaining]
        + [("rateLimit-reset", each) for each in resets]
    )
    assert METRICS.rate_limit(headers) == status
