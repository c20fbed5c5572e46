"""Each YAML file in ``invalid`` has one kind of problem; its text file has the expected messages.

Each line of the text is a problem without the name of the file; that of a file with teams is
relative. Values that must not be shown are
called HIDDEN.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import load
from exporter.errors import ConfigurationError

INVALID = Path(__file__).parent / "invalid"
NAMES = sorted(path.stem for path in INVALID.glob("*.yaml"))
ENVIRON = {
    "CONFLUENT_CLOUD_API_KEY": "KEYID",
    "CONFLUENT_CLOUD_API_SECRET": "HIDDEN",
    "KEY_WITH_SECRET": "KEYID:HIDDEN",
    "EMPTY": " \n",
    "TWO_WORDS": "HIDDEN HIDDEN",
    "QUOTED": '"HIDDEN"',
}


def _problems(name: str) -> list[str]:
    path = INVALID / f"{name}.yaml"
    with pytest.raises(ConfigurationError) as caught:
        load(path, environ=ENVIRON)
    lines = [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]
    return [line.removeprefix(f"{INVALID}/") for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_a_problem_is_reported_at_its_line(name: str) -> None:
    assert _problems(name) == (INVALID / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_possible_secrets_are_not_shown(name: str) -> None:
    shown = "\n".join(_problems(name))
    assert "HIDDEN" not in shown
    assert "wRoNgLy" not in shown


def test_each_expected_output_has_a_configuration() -> None:
    assert sorted(path.stem for path in INVALID.glob("*.txt")) == NAMES


def test_all_problems_are_reported_at_once_sorted_by_line() -> None:
    assert [problem.split(": ")[:2] for problem in _problems("many")] == [
        ["2", "defaults.refresh_interval"],
        ["3", "defaults.polcy"],
        ["5", "defaults.rate_limit.reserve"],
        ["7", "defaults.page_size"],
        ["10", "organizations[0].url"],
        ["11", "organizations[0].stale_after"],
        ["12", "organizations[1].name"],
        ["13", "organizations[1].credentials"],
        ["14", "organizations[1].credentials.api_key_file"],
        ["16", "organizations[1].filters.owners[1]"],
        ["17", "organizations[1].policy.expired"],
        ["17", "organizations[1].policy.max_age"],
        ["18", "organizations[2].nam"],
        ["18", "organizations[2].name"],
        ["19", "extra"],
    ]


def test_the_error_has_no_context_with_values_of_the_file() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(INVALID / "credentials-secret-in-file.yaml", environ=ENVIRON)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
