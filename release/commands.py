"""Run the programs that build a release."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ReleaseError(Exception):
    """A release that cannot be built: cause and remedy."""


@functools.cache
def find_program(name: str) -> str | None:
    """Return the path of a program on ``PATH`` or where ``go install`` puts it, or None."""
    found = shutil.which(name)
    if found is None and shutil.which("go"):
        folder = run(["go", "env", "GOPATH"], folder=Path.cwd()).strip()
        found = shutil.which(name, path=f"{folder}/bin")
    return found


def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    umask: int = -1,
) -> str:
    """Return what ``command`` prints to standard output.

    ``environ``: additional variables. ``umask``: -1 does not change it.

    Raises:
        ReleaseError: It failed; the message has its output.

    """
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=os.environ | (environ or {}),
            umask=umask,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    except FileNotFoundError as error:
        raise ReleaseError(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        shown = " ".join(map(str, command))
        output = (error.stdout + error.stderr).strip()
        raise ReleaseError(f"{shown}: exit code {error.returncode}\n{output}") from error
