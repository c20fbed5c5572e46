"""Contract files outside the repository; tests that need them are skipped without them."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def shared_file(name: str) -> Path:
    """Return the path of the contract file ``name``; skip the test if it does not exist."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"../shared/{name} is absent: the contract material comes only with CI")
    return path
