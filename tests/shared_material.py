"""The contract material beside the repository; tests that need it skip where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def shared_file(name: str) -> Path:
    """Return the file ``name`` of the material; skip the test where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"../shared/{name} is absent: the contract material comes only with CI")
    return path
