"""The limit on open files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.programs import TIMEOUT, environment

PROGRAM = """
import resource
from exporter.cli.open_files import raise_open_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard}))
raise_open_file_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.integration
@pytest.mark.parametrize("hard", [100, 300])
def test_the_soft_limit_is_raised_to_the_hard_limit(hard: int) -> None:
    command = (sys.executable, "-c", PROGRAM.format(hard=hard))
    printed = subprocess.check_output(command, env=environment({}), timeout=TIMEOUT, text=True)
    assert printed.split() == [str(hard), str(hard)]
