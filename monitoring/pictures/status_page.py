"""The pictures of the status page, which a running demo serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitoring.pictures.chromium import draw
from tests.programs import EXPORTER, printed, started

if TYPE_CHECKING:
    from pathlib import Path

_WIDTH, _HEIGHT, _SCALE = 1072, 1775, 1280 / 1072
"""CSS pixels: the widest content with a small margin, and both organizations; pixels for each."""


def draw_status_page(pictures: Path, folder: Path) -> None:
    """Draw the status page in both color schemes; ``folder`` is for the log of the demo."""
    log = folder / "demo.log"
    with started(*EXPORTER, "demo", "--web.listen-address=127.0.0.1:0", log=log):
        url = printed(log, r"status page +(http://\S+)")
        for collector in ("api_keys", "names", "quotas", "usage"):
            printed(log, rf"(msg=refreshed organization=acme collector={collector})")
        for name, dark in (("dark", True), ("light", False)):
            file = pictures / f"status-page-{name}.png"
            draw(url, file, width=_WIDTH, height=_HEIGHT, scale=_SCALE, dark=dark)
