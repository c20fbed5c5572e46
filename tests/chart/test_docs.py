"""docs/kubernetes.md and the README: their values and commands fit the chart and the exporter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.chart.helm import CHART, rendered
from tests.chart.test_configuration import load_as_pod
from tests.chart.test_values import INVALID
from tests.markdown import code_blocks
from tests.programs import ROOT
from tests.test_messages import messages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chart.mounts import Files

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in code_blocks(PAGE, "yaml")]
VALUES = [block for block in BLOCKS if "scrape_configs" not in block]
README = (ROOT / "README.md").read_text()
README_VALUES = [
    values for block in code_blocks(README, "yaml") if "image" in (values := yaml.safe_load(block))
]
SECRET = r"""create secret generic acme-api-key \
    --from-file=api-key=acme_key --from-file=api-secret=acme_secret"""
ACME = {
    "organizations": [{"name": "acme", "credentials": {"existingSecret": {"name": "acme-api-key"}}}]
}


@pytest.mark.parametrize("values", [*VALUES, *README_VALUES], ids="-".join)
def test_the_exporter_loads_the_values(
    values: dict[str, Any], existing: dict[str, Files], tmp_path: Path
) -> None:
    release = rendered(values=ACME | values)
    for position, pod in enumerate(release.pods()):
        load_as_pod(pod, release, existing, tmp_path / str(position))


def test_the_commands_name_resources_of_the_chart() -> None:
    release = rendered(values=ACME | {"fullnameOverride": "confluent-api-keys-exporter"})
    for kind in ("Deployment", "Service", "ServiceAccount"):
        release.only(kind, "confluent-api-keys-exporter")
    assert len(re.findall("deployment/confluent-api-keys-exporter", PAGE)) == 3


def test_the_readme_installs_the_chart_as_the_page_does() -> None:
    assert len(README_VALUES) == 1
    assert [SECRET in each for each in (README, PAGE)] == [True, True]
    folders = re.findall(r"^\$ helm install \S+ (\S+) ", README, re.MULTILINE)
    assert [(ROOT / each).resolve() for each in folders] == [CHART.resolve()]


def test_helm_prints_the_messages() -> None:
    printed = "\n".join(path.read_text() for path in INVALID.glob("*.txt"))
    shown = messages("kubernetes.md")
    assert len(shown) > 8
    assert [each for each in shown if each not in printed] == []
