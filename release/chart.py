"""The package of the Helm chart."""

from __future__ import annotations

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from release.archives import write_tar_gz
from release.commands import ReleaseError, find_program, run
from release.source import NAME

if TYPE_CHECKING:
    from release.source import Source


def build_chart(source: Source, output: Path) -> list[Path]:
    """Package the chart; return the path. ``helm package`` replaces symbolic links by their files.

    Raises:
        ReleaseError: Helm rejects the chart, or its version is not that of the exporter.

    """
    chart = source.folder / "charts" / NAME
    with TemporaryDirectory() as folder:
        run(
            [find_program("helm") or "helm", "package", chart, f"--destination={folder}"],
            folder=output,
        )
        (package,) = Path(folder).iterdir()
        expected = f"{NAME}-{source.version}.tgz"
        if package.name != expected:
            raise ReleaseError(
                f"the chart is {package.name} instead of {expected}. "
                f"Set version and appVersion in charts/{NAME}/Chart.yaml."
            )
        write_reproducible(package, output / expected, time=source.time)
    return [output / expected]


def write_reproducible(package: Path, to: Path, *, time: int) -> None:
    """Write ``package`` again with sorted entries, one time and no owner.

    ``helm package`` writes the current time.
    """
    with tarfile.open(package) as archive:
        members = {
            entry.name: file.read() for entry in archive if (file := archive.extractfile(entry))
        }
    write_tar_gz(to, members, time=time)
