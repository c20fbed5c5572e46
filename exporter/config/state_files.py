"""Validates the paths of files that the exporter writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.source_settings import path_setting, validation_context

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationInfo


def check_state_file(value: object, info: ValidationInfo) -> Path:
    """Return ``value`` as an absolute path if a file can be there."""
    path = path_setting(value, info, example="usage.json")
    if not validation_context(info).reads_sources:
        return path
    if path.is_dir():
        raise ValueError("is a directory; expected the path of a file")
    if not path.parent.is_dir():
        raise ValueError("is in a folder that does not exist; create the folder")
    return path
