"""The benchmarks measure what they say; how fast anything is, no test can know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from benchmarks.measure import PYTHON, Spread, configuration, running, spread
from benchmarks.report import Row, as_json, facts, table
from exporter.config import load
from tests.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HELD = Row(
    "refresh",
    "CPU, 1,000 keys",
    Spread(0.0625, 0.05, 0.125),
    "s",
    "bare loop",
    Spread(0.05, 0.05, 0.05),
    goal="≤ 1.5 times",
    reached=True,
)
MISSED = Row("many", "requests", Spread(1250, 1250, 1250), "", goal="none", reached=False)


def shown(*rows: Row) -> str:
    """The table on 80 columns."""
    console = Console(file=StringIO(), width=80)
    console.print(table(rows))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_spread_is_the_median_between_the_extremes() -> None:
    assert spread([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert spread(iter([4.0, 2.0])) == Spread(3.0, 2.0, 4.0)


def test_nothing_measured_has_no_spread() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


def test_the_ratio_is_that_of_the_medians() -> None:
    assert HELD.ratio() == 1.25  # 0.0625 ÷ 0.05
    assert MISSED.ratio() is None


def test_the_table_shows_each_figure_beside_its_yardstick_in_80_columns() -> None:
    lines = [[cell.strip() for cell in line.split("│")] for line in shown(HELD).splitlines()]
    assert ["", "REFRESH", "", "", "", "", ""] in lines
    medians = ["CPU, 1,000 keys", "0.0625 s", "bare loop", "1.25", "≤ 1.5 times ✓"]
    assert ["", *medians, ""] in lines
    assert ["", "", "0.05…0.125", "0.05 s", "", "", ""] in lines
    assert {len(line) for line in shown(HELD).splitlines()[1:]} <= set(range(81))


def test_the_table_wraps_what_is_long_and_cuts_nothing() -> None:
    goal = "linear, which is at most 1.25 times as much"
    figure = "CPU per further key, 10,000 to 100,000 keys and one more"
    value = Spread(0.00345, 0.00123, 0.00678)
    row = Row("refresh", figure, value, "s", "the loop with json.loads", value, goal, reached=True)
    text = shown(row)
    assert {len(line) for line in text.splitlines()[1:]} == {80}
    words = f"{figure} {goal} the loop with json.loads 0.00345 0.00123…0.00678 1.00 ✓".split()
    assert set(words) <= set(text.replace("│", " ").split())


def test_the_table_marks_a_goal_that_is_missed() -> None:
    (line,) = [line for line in shown(HELD, MISSED).splitlines() if "requests" in line]
    assert [cell.strip() for cell in line.split("│")][1:3] == ["requests", "1,250"]
    assert "none ✗" in line


def test_the_json_has_every_field_and_the_ratio() -> None:
    assert json.loads(as_json([HELD], {"cores": 2})) == {
        "facts": {"cores": 2},
        "rows": [
            {
                "section": "refresh",
                "figure": "CPU, 1,000 keys",
                "value": {"median": 0.0625, "least": 0.05, "most": 0.125},
                "unit": "s",
                "yardstick": "bare loop",
                "yardstick_value": {"median": 0.05, "least": 0.05, "most": 0.05},
                "goal": "≤ 1.5 times",
                "reached": True,
                "ratio": 1.25,
            }
        ],
    }


def test_the_facts_tell_machine_versions_and_commit() -> None:
    names = {"cores", "cpu", "memory_mib", "kernel", "python", "commit", "date"}
    assert facts().keys() == names | {"uvicorn", "httpx", "prometheus-client", "msgspec"}


def test_the_configuration_is_one_that_the_exporter_takes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(configuration("http://127.0.0.1:1", 2, max_pairs=7))
    found = load(path, environ={"SECRET": "made-up"}).organizations
    assert [each.name for each in found] == ["org0", "org1"]
    assert {each.max_pairs for each in found} == {7}
    assert not any(each.names.enabled or each.quotas.enabled for each in found)


def test_what_a_child_uses_is_read_from_the_kernel() -> None:
    code = (
        "import time; held = bytearray(b'x') * (64 << 20); del held\n"
        "while time.process_time() < 0.2: pass\n"
        "print('up at 7', flush=True); time.sleep(60)"
    )
    with running(PYTHON, "-c", code, ready=r"up at (\d)") as child:
        assert child.found == "7"
        assert 0.2 <= child.cpu() < 2
        assert child.peak_memory() >= child.memory() + 60  # of the 64 MiB that it gave back


def test_a_child_that_ends_instead_of_starting_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match="did not start: no luck"),
        running(PYTHON, "-c", "print('no luck')", ready="(never)"),
    ):
        pass


def quick(output: Path) -> tuple[str, dict[str, Any]]:
    """What ``make bench`` prints and writes, with small sizes."""
    # Measuring the coverage would be measured.
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", f"--output={output}"],
        cwd=ROOT,
        env=unmeasured | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(output.read_text())


def test_the_benchmarks_run_from_start_to_refresh_and_count_exactly(tmp_path: Path) -> None:
    printed, written = quick(tmp_path / "not" / "there" / "bench.json")
    rows = {(row["section"], row["figure"], row["yardstick"]): row for row in written["rows"]}
    assert {section for section, _, _ in rows} == {"start", "refresh"}
    for keys, requests in (("200", 2), ("1,000", 10)):
        row = rows["refresh", f"requests, {keys} keys", "keys ÷ 100"]
        assert row["value"] == {"median": requests, "least": requests, "most": requests}
        assert row["reached"] is True
        for yardstick in ("bare httpx loop", "loop with json.loads"):
            assert rows["refresh", f"CPU, {keys} keys", yardstick]["ratio"] > 0
    ready = rows["start", "until /metrics is ready, 1,000 keys", "python -c pass"]
    assert ready["value"]["median"] > ready["yardstick_value"]["median"]
    assert rows["start", "imports of run", "python -c pass"]["ratio"] > 1
    assert max(map(len, printed.splitlines())) <= 80
    assert "│ REFRESH " in printed


def test_only_what_can_be_quick_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only=scrape", "--output", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "--quick is for start and refresh" in done.stderr) == (2, True)
