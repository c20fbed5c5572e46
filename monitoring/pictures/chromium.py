"""Pages become PNG files: Chromium draws them, pngquant makes them small."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path


def draw(
    url: str, file: Path, *, width: int, height: int, scale: float = 1, dark: bool = True
) -> None:
    """Draw the page at ``url`` into ``file``.

    ``width`` and ``height`` are CSS pixels, and ``scale`` is the number of pixels for each of them.
    """
    raw = file.with_suffix(".raw.png")
    subprocess.run(  # noqa: S603 # a browser for a page of our own
        [
            program("chromium", package="chromium"),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
            "--virtual-time-budget=10000",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--force-device-scale-factor={scale}",
            f"--window-size={width},{height}",
            f"--screenshot={raw}",
            url,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    subprocess.run(  # noqa: S603 # as above
        [
            *(program("pngquant", package="pngquant"), "--force", "--strip", "--speed=1"),
            *("--nofs", f"--output={file}", "256", str(raw)),
        ],
        check=True,
    )
    raw.unlink()
