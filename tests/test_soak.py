"""The short version of ``make soak``."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.programs import ROOT

pytestmark = pytest.mark.integration


def test_resources_stay_flat_and_counts_end_correct_under_every_fault() -> None:
    # Coverage measurement would slow down the processes, which are under load.
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--seconds=12"],
        cwd=ROOT,
        env=unmeasured,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    problems = [line for line in done.stderr.splitlines() if line.startswith("problem:")]
    assert (done.returncode, problems) == (0, []), done.stderr
