"""The examples of docs/sharding.md."""

from __future__ import annotations

import re
import shlex

import yaml

from exporter.cli import arguments
from tests.chart.kubernetes import newest_versions, problems_of
from tests.markdown import code_blocks
from tests.programs import ROOT

PAGE = (ROOT / "docs" / "sharding.md").read_text()


def test_the_statefulset_is_valid_and_has_as_many_replicas_as_shards() -> None:
    (block,) = code_blocks(PAGE, "yaml")
    manifest = yaml.safe_load(block)
    (version,) = newest_versions(1)
    assert problems_of(manifest, version=version) == []
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    options = arguments.parse(container["args"])
    assert (options.command, options.shard) == ("run", None)
    assert options.total_shards == manifest["spec"]["replicas"]


def test_the_commands_run_each_shard_once() -> None:
    lines = re.findall(r"(?m)^confluent-api-keys-exporter (.*)$", PAGE)
    found = [arguments.parse(shlex.split(line)) for line in lines]
    started = [each for each in found if not each.config_check]
    assert [(each.shard, each.total_shards) for each in started] == [(0, 3), (1, 3), (2, 3)]
    assert len(found) == 4
