"""Writes the dashboards: ``python -m grafana``."""

from pathlib import Path

from grafana import dashboards

FOLDER = Path(__file__).parent / "dashboards"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
