"""Writes what scrapes of exporters in virtual time return as the data of a real Prometheus."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from exporter.exposition import Format
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.app import Exporter

JOB = "confluent-api-keys"
_BLOCK = 7_200.0  # seconds; promtool reads its whole input once for each block
_COMMENT = re.compile(r"^#.*\n", re.MULTILINE)
_OPEN = re.compile(r"^(\w+)\{", re.MULTILINE)
_BARE = re.compile(r"^(\w+) ", re.MULTILINE)
_STARTED = re.compile(r"^process_start_time_seconds .*", re.MULTILINE)


@dataclass
class Target:
    """One exporter, as a scrape sees it."""

    instance: str
    exporter: Exporter
    started: float
    """Unix time, by the virtual clock."""
    reachable: bool = True
    _known: dict[str, str] = field(default_factory=dict)
    """The families of the latest scrape as they are stored; most of them are the same again."""

    def scrape(self, *, at: float) -> str:
        """Return the samples that Prometheus stores at the Unix time ``at``."""
        families = self._families() if self.reachable else []
        number = sum(family.count("\n") for family in families)
        own = (
            f"up {self.reachable:d}\n"
            "scrape_duration_seconds 0.01\n"
            f"scrape_samples_scraped {number}\n"
            f"scrape_samples_post_metric_relabeling {number}\n"
            "scrape_series_added 0\n"
        )
        return "".join((*families, self._labelled(own))).replace("\n", f" {at:.3f}\n")

    def _families(self) -> list[str]:
        exposition = self.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode()
        before = self._known
        self._known = {
            family: before.get(family) or self._labelled(self._true(family))
            for family in exposition.removesuffix("# EOF\n").split("# HELP ")[1:]
        }
        return list(self._known.values())

    def _true(self, family: str) -> str:
        """Return the samples of ``family``, though this process is younger than its life."""
        samples = _COMMENT.sub("", f"# {family}")
        return _STARTED.sub(f"process_start_time_seconds {self.started}", samples)

    def _labelled(self, samples: str) -> str:
        labels = f'instance="{self.instance}",job="{JOB}"'
        return _BARE.sub(rf"\1{{{labels}}} ", _OPEN.sub(rf"\1{{{labels},", samples))


class Recorder:
    """Writes what is scraped into ``folder``, as the data of a Prometheus."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command = (program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q")
        self._block: tuple[int, list[str]] = (0, [])
        self._thread = ThreadPoolExecutor(max_workers=1)  # so that two cores are at work
        self._written: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_block()
        self._thread.shutdown()
        for each in self._written:
            each.result()

    def scrape(self, targets: Iterable[Target], *, at: float) -> None:
        """Scrape ``targets`` at the Unix time ``at``, later than the last time."""
        number = int(at // _BLOCK)
        if number != self._block[0]:
            self._end_block()
            self._block = (number, [])
        for target in targets:
            self._block[1].append(target.scrape(at=at))

    def _end_block(self) -> None:
        number, scrapes = self._block
        if scrapes:
            file = self._folder / f"{number}.txt"
            self._written.append(self._thread.submit(self._write, file, scrapes))

    def _write(self, file: Path, scrapes: list[str]) -> None:
        file.write_text("".join((*scrapes, "# EOF\n")))
        subprocess.run(
            [*self._command, file, self._folder / "data"], check=True, capture_output=True
        )
        file.unlink()
