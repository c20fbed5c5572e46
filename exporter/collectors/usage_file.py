"""The file that keeps what is known about activity over a restart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import structlog

from exporter.config.files import read_file, replace_file
from exporter.inventory.usage import Period, Usage

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)
_MAX_BYTES = 64 * 1024 * 1024
_MAX_ENTRIES = 1_000_000
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e11)]


class _Document(msgspec.Struct):
    """Times are Unix seconds."""

    version: Literal[1]
    organization: str
    clusters: Annotated[dict[_Id, tuple[_Seconds, _Seconds]], msgspec.Meta(max_length=_MAX_ENTRIES)]
    """Start and end of what is known, by id of the Kafka cluster."""
    last_active: Annotated[list[tuple[_Id, _Id, _Seconds]], msgspec.Meta(max_length=_MAX_ENTRIES)]
    """Owner, cluster, and the end of the newest hour with a request."""


class UsageFile:
    """The state file of one organization. Its methods block.

    A file that cannot be read or written is logged: without it, what is known begins with the days
    that the API remembers.
    """

    def __init__(self, path: Path, organization: str) -> None:
        self._path = path
        self._organization = organization
        self._is_unusable = False

    def read(self) -> Usage:
        """Return what the file holds; nothing if it does not exist or is unusable."""
        try:
            data = read_file(self._path, limit=_MAX_BYTES)
        except FileNotFoundError:
            return Usage()
        except OSError as error:
            return self._unusable(error.strerror or "not readable")
        if len(data) > _MAX_BYTES:
            return self._unusable(f"it is larger than {_MAX_BYTES} bytes")
        try:
            found = msgspec.json.decode(data, type=_Document)
        except (ValueError, RecursionError) as error:
            return self._unusable(str(error))
        if found.organization != self._organization:
            return self._unusable("it belongs to another organization")
        return Usage(
            {(owner, cluster): end for owner, cluster, end in found.last_active},
            {
                cluster: Period(start, end)
                for cluster, (start, end) in found.clusters.items()
                if start <= end and math.isfinite(end)
            },
        )

    def _unusable(self, problem: str) -> Usage:
        self._is_unusable = True
        log.error(
            "the usage state file is not used; activity is known only for the time that the API"
            " remembers",
            file=str(self._path),
            problem=problem,
        )
        return Usage()

    def write(self, usage: Usage) -> None:
        """Replace the file atomically; keep an unusable one with the suffix `.unusable`."""
        document = _Document(
            version=1,
            organization=self._organization,
            clusters={
                cluster: (period.start, period.end)
                for cluster, period in sorted(usage.periods.items())
            },
            last_active=[(*pair, end) for pair, end in sorted(usage.last_active.items())],
        )
        try:
            if self._is_unusable and self._path.is_file():
                self._path.replace(self._path.with_name(f"{self._path.name}.unusable"))
            self._is_unusable = False
            replace_file(self._path, msgspec.json.encode(document))
        except OSError as error:
            log.error(  # noqa: TRY400 # a traceback adds nothing
                "the usage state file cannot be written; a restart will forget older activity",
                file=str(self._path),
                problem=error.strerror,
            )
