"""The folders that users import from contain nothing but artefacts."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from tests.programs import ROOT

ARTEFACTS = {
    "alertmanager": ["alertmanager.yml", "teams.example.yml"],
    "grafana": [
        "dashboards/*.json",
        "provisioning/dashboards/*.yml",
        "provisioning/datasources/*.yml",
    ],
    "prometheus": ["prometheus-rule.yaml", "prometheus.yml", "rules/*.yml"],
}


@pytest.mark.parametrize("folder", ARTEFACTS)
def test_the_folder_contains_only_artefacts(folder: str) -> None:
    files = {
        str(path.relative_to(ROOT / folder))
        for path in (ROOT / folder).rglob("*")
        # An older checkout may have left bytecode, which git ignores.
        if path.is_file() and "__pycache__" not in path.parts
    }
    patterns = ARTEFACTS[folder]
    assert {file for file in files if not any(fnmatch(file, each) for each in patterns)} == set()
    assert all(any(fnmatch(file, each) for file in files) for each in patterns)
