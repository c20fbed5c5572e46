"""The values, their schema, and the messages for invalid ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.cli.signals import _GRACE_PERIOD
from tests.chart.helm import CHART, KUBERNETES, VALUE_FILES, run_helm, run_template

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
INVALID = Path(__file__).parent / "invalid"
INVALID_NAMES = sorted(path.stem for path in INVALID.glob("*.yaml"))

SchemaPath = tuple[str, ...]


def properties_of(
    schema: dict[str, Any], path: SchemaPath = ()
) -> Iterator[tuple[SchemaPath, Any]]:
    """Yield each property of the schema with its path, in which ``[]`` is an item of a list.

    Definitions are not followed.
    """
    for name, each in schema.get("properties", {}).items():
        yield (*path, name), each
        yield from properties_of(each, (*path, name))
    if "items" in schema:
        yield from properties_of(schema["items"], (*path, "[]"))


def values_at(values: Any, path: SchemaPath) -> list[Any]:
    """Return the values at a path of the schema; empty if none is set."""
    for position, key in enumerate(path):
        if key == "[]":
            items = values if isinstance(values, list) else []
            return [each for item in items for each in values_at(item, path[position + 1 :])]
        if not isinstance(values, dict) or key not in values:
            return []
        values = values[key]
    return [values]


@pytest.mark.parametrize("file", VALUE_FILES, ids=lambda file: file.stem)
def test_lint_accepts_the_values(file: Path) -> None:
    flags = "--strict", "--quiet", f"--kube-version={KUBERNETES}", f"--values={file}"
    done = run_helm("lint", str(CHART), *flags)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_value_is_changed_in_a_value_file() -> None:
    files = [yaml.safe_load(file.read_text()) for file in VALUE_FILES]
    unchanged = [
        ".".join(path)
        for path, schema in properties_of(SCHEMA)
        if "properties" not in schema
        and all(
            found in values_at(DEFAULTS, path) for file in files for found in values_at(file, path)
        )
    ]
    assert unchanged == []


def test_each_value_has_a_description() -> None:
    undescribed = [path for path, schema in properties_of(SCHEMA) if not schema.get("description")]
    assert undescribed == []


def test_only_verbatim_values_allow_unknown_names() -> None:
    """An object either has properties and allows no others, or has none."""
    found = [
        path
        for path, schema in properties_of(SCHEMA)
        if "properties" in schema and schema.get("additionalProperties") is not False
    ]
    assert found == []
    assert SCHEMA["additionalProperties"] is False


def test_each_default_is_in_the_schema_and_each_property_outside_lists_has_a_default() -> None:
    paths = {
        path for path, each in properties_of(SCHEMA) if "[]" not in path and "allOf" not in each
    }
    without = {path for path in paths if not values_at(DEFAULTS, path)}
    assert without == {
        ("global",),
        ("probes", "liveness", "initialDelaySeconds"),
        ("probes", "readiness", "initialDelaySeconds"),
        ("probes", "readiness", "successThreshold"),
        ("probes", "startup", "initialDelaySeconds"),
    }


def test_kubernetes_waits_for_a_clean_stop() -> None:
    """The exporter exits by force when its own grace period is over."""
    assert SCHEMA["properties"]["terminationGracePeriodSeconds"]["minimum"] > _GRACE_PERIOD


@pytest.mark.parametrize("name", INVALID_NAMES)
def test_an_invalid_value_is_reported(name: str) -> None:
    done = run_template(INVALID / f"{name}.yaml")
    assert done.returncode == 1
    reported = [line[2:] for line in done.stderr.splitlines() if line.startswith("- ")]
    assert sorted(reported) == (INVALID / f"{name}.txt").read_text().splitlines()


def test_each_expected_output_has_values() -> None:
    assert sorted(path.stem for path in INVALID.glob("*.txt")) == INVALID_NAMES
