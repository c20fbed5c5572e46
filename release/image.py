"""The container image as an archive."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from release.commands import run
from release.oci import write_archive
from release.source import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release.source import Source


def build_image(source: Source, output: Path, *, build_args: Sequence[str] = ()) -> list[Path]:
    """Build the image for the architecture of this machine; return the path of its archive.

    ``build_args``: as of ``buildah build --build-arg``.
    """
    arguments = (f"VERSION={source.version}", f"REVISION={source.revision}", *build_args)
    with TemporaryDirectory() as name:
        folder = Path(name)
        run(
            [
                *("buildah", "build", "--no-cache", "--layers=false"),
                "--format=docker",  # OCI has no health check
                f"--timestamp={source.time}",
                f"--iidfile={folder}/id",
                *(f"--build-arg={each}" for each in arguments),
                ".",
            ],
            folder=source.folder,
        )
        image = (folder / "id").read_text(encoding="utf-8").strip()
        try:
            run(["buildah", "push", "--format=v2s2", image, f"dir:{folder}/image"], folder=folder)
        finally:
            run(["buildah", "rmi", image], folder=folder)
        return [
            write_archive(
                folder / "image", output, name=NAME, version=source.version, time=source.time
            )
        ]
