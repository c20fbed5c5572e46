"""The files that git tracks, copied to a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from release.commands import ReleaseError, run

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 5
"""The number of changed files that a message names."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a release is built from."""

    folder: Path
    """Holds the tracked files and nothing else."""
    version: str
    revision: str
    """The commit, with the suffix ``-dirty`` if files differ from it."""
    time: int
    """Of the commit, or ``SOURCE_DATE_EPOCH``; all artefacts have this time. Seconds since 1970."""


def export(checkout: Path, folder: Path, *, dirty: bool) -> Source:
    """Copy the tracked files of ``checkout`` to ``folder``, which must not exist.

    ``dirty``: accept files that differ from the commit.

    Raises:
        ReleaseError: No git checkout, no version, files that differ from the commit, or a link that
            leads out of the checkout.

    """

    def git(*arguments: str) -> str:
        return run(["git", *arguments], folder=checkout)

    changed = [
        line[3:]
        for line in git("--no-optional-locks", "status", "--porcelain", "-uno").splitlines()
    ]
    if changed and not dirty:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise ReleaseError(
            f"files differ from the commit: {', '.join(changed[:_SHOWN])}{more}. "
            "Commit the changes, or build a trial with --dirty."
        )
    for name in git("ls-files", "-z").rstrip("\0").split("\0"):
        # The chart and the source distribution contain the files that links lead to.
        if not (checkout / name).resolve().is_relative_to(checkout.resolve()):
            raise ReleaseError(f"{name} leads out of the repository. Remove the link.")
        if os.path.lexists(checkout / name):
            _copy(checkout / name, folder / name)
    revision = git("rev-parse", "HEAD").strip()
    committed = git("log", "-1", "--format=%ct").strip()
    return Source(
        folder=folder,
        version=_version(folder),
        revision=f"{revision}-dirty" if changed else revision,
        time=int(os.environ.get("SOURCE_DATE_EPOCH") or committed),
    )


def _version(folder: Path) -> str:
    text = (folder / "exporter" / "version.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    return str(version)


def _copy(file: Path, to: Path) -> None:
    """Copy a file or a symbolic link; its permissions do not depend on the umask."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to, follow_symlinks=False)
    if not to.is_symlink():
        to.chmod(0o755 if os.access(file, os.X_OK) else 0o644)
