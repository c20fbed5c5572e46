"""Run the programs that build a release."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class ReleaseError(Exception):
    """A release that cannot be built: cause and remedy."""


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
