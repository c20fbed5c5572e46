"""The wheel and the source distribution."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from release.commands import run

if TYPE_CHECKING:
    from pathlib import Path

    from release.source import Source


def build_distributions(source: Source, output: Path) -> list[Path]:
    """Build both and check them as a package index does; return their paths."""
    built = output / "python"
    python = (sys.executable, "-m")
    run(
        [*python, "hatchling", "build", "-d", built],
        folder=source.folder,
        environ={"SOURCE_DATE_EPOCH": str(source.time)},
    )
    files = sorted(built.iterdir())
    run([*python, "twine", "check", "--strict", *files], folder=output)
    run([*python, "check_wheel_contents", built], folder=output)
    moved = [each.rename(output / each.name) for each in files]
    built.rmdir()
    return moved
