"""Draw the pictures of the documentation: ``python -m monitoring.pictures``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from monitoring.pictures.boards import draw_boards
from monitoring.pictures.status_page import draw_status_page
from tests.programs import ROOT

_PICTURES = ROOT / "docs" / "pictures"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="monitoring.pictures", description=__doc__)
    parser.add_argument(
        "--week",
        type=Path,
        metavar="FOLDER",
        help="Folder for the week of metrics. If it has none, the tool records one, which takes"
        " minutes. Default: a temporary folder",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pictures-") as temporary:
        folder = Path(temporary)
        draw_status_page(_PICTURES, folder)
        draw_boards(_PICTURES, folder, week=options.week or folder / "week")
