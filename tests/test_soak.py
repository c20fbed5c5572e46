"""The short version of ``make soak``."""

from __future__ import annotations

import subprocess
import sys

from tests.programs import ROOT


def test_under_every_fault_in_turn_all_stays_flat_and_ends_true() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--seconds=27"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    problems = [line for line in done.stderr.splitlines() if line.startswith("problem:")]
    assert (done.returncode, problems) == (0, []), done.stderr
