"""The file that keeps what is known about activity over a restart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import structlog

from exporter.config.files import read_file, replace_file
from exporter.confluent.file_access import FileAccess
from exporter.errors import RequestTimeout
from exporter.inventory.usage import Period, Usage, without_future
from exporter.refresh import Failure

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from exporter.clock import Clock
    from exporter.config import Organization

log = structlog.get_logger(__name__)
_MAX_BYTES = 64 * 1024 * 1024
_MAX_ENTRIES = 1_000_000
_WRITE_TIMEOUT = 30.0
"""Seconds for which a refresh waits for a file system."""
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
        self.path = path
        self._organization = organization
        self._is_unusable = False

    def read(self) -> Usage:
        """Return what the file holds; nothing if it does not exist or is unusable."""
        try:
            data = read_file(self.path, limit=_MAX_BYTES)
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
            file=str(self.path),
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
            if self._is_unusable and self.path.is_file():
                self.path.replace(self.path.with_name(f"{self.path.name}.unusable"))
            self._is_unusable = False
            replace_file(self.path, msgspec.json.encode(document))
        except OSError as error:
            log.error(  # noqa: TRY400 # a traceback adds nothing
                "the usage state file cannot be written; a restart will forget older activity",
                file=str(self.path),
                problem=error.strerror,
            )


class UsageStore:
    """The state file of one organization, read and written in threads: a file system may hang."""

    def __init__(self, file: UsageFile, *, clock: Clock) -> None:
        self._clock = clock
        self._latest = Usage()
        self._path = file.path
        self._reader = FileAccess(file.read, clock=clock)
        self._writer = FileAccess(lambda: file.write(self._latest), clock=clock)

    @classmethod
    def create(cls, organization: Organization, *, clock: Clock) -> Self | None:
        """Return the store of ``organization``; None without ``usage.state_file``."""
        path = organization.usage.state_file
        return None if path is None else cls(UsageFile(path, organization.name), clock=clock)

    async def read(self, *, deadline: float) -> tuple[Usage, Failure | None]:
        """Return what the file holds, or why it could not be read by ``deadline``."""
        try:
            usage = await self._reader.run(deadline=deadline)
        except TimeoutError:
            message = "the usage state file could not be read in time. Check its file system"
            return Usage(), Failure(RequestTimeout.reason, message, None)
        return without_future(usage, now=self._clock.wall()), None

    async def write(self, usage: Usage) -> None:
        """Write ``usage``; log a failure. If a write hangs, the next one only waits for it."""
        self._latest = usage
        try:
            await self._writer.run(deadline=self._clock.monotonic() + _WRITE_TIMEOUT)
        except TimeoutError:
            log.error(  # noqa: TRY400 # a traceback adds nothing
                "the usage state file could not be written in time; a restart will forget newer"
                " activity",
                file=str(self._path),
                problem="the file system does not answer",
            )
