"""Validates the paths of files that the exporter writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.source_settings import validation_context
from exporter.config.yaml_document import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationInfo


def check_state_file(value: object, info: ValidationInfo) -> Path:
    """Return ``value`` as an absolute path if a file can be there."""
    if not isinstance(value, str):
        raise ValueError(f"is {kind_of(value)}; expected the path of a file")  # noqa: TRY004 # pydantic reports it
    if not value.strip() or "\0" in value:
        raise ValueError("is not a valid path; expected the path of a file, such as `usage.json`")
    path = validation_context(info).folder / value
    if path.is_dir():
        raise ValueError("is a directory; expected the path of a file")
    if not path.parent.is_dir():
        raise ValueError("is in a folder that does not exist; create the folder")
    return path
