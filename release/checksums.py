"""The checksums of a release, as ``sha256sum --check`` reads them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from release.commands import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CHECKSUMS = "SHA256SUMS"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(files: Iterable[Path], output: Path) -> Path:
    """Write the checksums of ``files``, sorted by name, to the folder ``output``."""
    path = output / CHECKSUMS
    lines = [f"{digest(each)}  {each.name}\n" for each in sorted(files)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def read_checksums(folder: Path) -> dict[str, str]:
    """Return the checksums in ``folder`` by file name; none if it holds no release."""
    path = folder / CHECKSUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def remove_release(folder: Path) -> None:
    """Remove an earlier release from ``folder``, which may be missing.

    Raises:
        ReleaseError: It holds other files, which an upload of the folder would publish.

    """
    if not folder.exists():
        return
    names = {each.name for each in folder.iterdir()}
    if others := sorted(names - {CHECKSUMS, *read_checksums(folder)}):
        raise ReleaseError(
            f"{folder} holds files of no release: {', '.join(others)}. "
            "Remove them, or choose another folder with --output."
        )
    for name in names:  # SHA256SUMS may name files elsewhere
        (folder / name).unlink()
