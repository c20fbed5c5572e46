"""A missing ``helm`` is reported, and does not go unnoticed in CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chart import helm

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ``helm`` and ``go`` be missing."""
    monkeypatch.setenv("PATH", "")
    helm._find.cache_clear()
    yield
    helm._find.cache_clear()


def test_a_test_without_helm_is_skipped_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"go install helm\.sh/helm/v3/cmd/helm@"):
        helm.helm()


def test_a_test_without_helm_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    # Without the second one, a skip would skip this test.
    outcomes = pytest.fail.Exception, pytest.skip.Exception
    with pytest.raises(outcomes, match="CI must have it") as caught:
        helm.helm()
    assert caught.type is pytest.fail.Exception
