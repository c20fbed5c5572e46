"""A missing program is reported, and does not go unnoticed in CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from release.commands import find_program
from tests.programs import go_program, program

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all programs be missing."""
    monkeypatch.setenv("PATH", "")
    find_program.cache_clear()
    yield
    find_program.cache_clear()


def test_a_test_is_skipped_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"helm is missing; install it as \.ci/run"):
        go_program("helm")
    with pytest.raises(pytest.skip.Exception, match="promtool is missing; apt-get install"):
        program("promtool")


@pytest.mark.parametrize("find", [program, go_program])
def test_a_test_fails_in_ci(monkeypatch: pytest.MonkeyPatch, find: object) -> None:
    monkeypatch.setenv("CI", "true")
    assert callable(find)
    # Without the second one, a skip would skip this test.
    outcomes = pytest.fail.Exception, pytest.skip.Exception
    with pytest.raises(outcomes, match="CI must have it") as caught:
        find("helm")
    assert caught.type is pytest.fail.Exception
