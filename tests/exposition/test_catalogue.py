from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.confluent.credentials import TokenStatus
from exporter.exposition import Format, Instruments
from exporter.exposition.catalogue import CATALOGUE, Metric
from exporter.exposition.metrics_page import LABELS, document
from exporter.simulator import (
    APPLIED_QUOTAS_PATH,
    CLOUD,
    SimulatedKey,
    SimulatedOwner,
    SimulatedRateLimit,
)
from tests.harness import API_KEY, URL, Harness

METRICS = [metric for group in CATALOGUE for metric in group.metrics]
FORBIDDEN_LABELS = {
    "owner",
    "environment",
    "cluster",
    "region",
    "service",
    "job",
    "instance",
    "type",
    "le",
}


def test_docs_metrics_md_is_generated_from_the_catalogue() -> None:
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert page.read_text() == document(), "run: make docs"


def test_names_and_labels_follow_the_conventions_of_prometheus() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"confluent_cloud_[a-z0-9_]+", metric.name)
        assert (metric.type == "counter") == metric.name.endswith("_total")
        assert (metric.type == "info") == metric.name.endswith("_info")
        assert not metric.name.endswith(("_count", "_sum", "_bucket"))
        for label in metric.labels:
            assert re.fullmatch(r"[a-z][a-z0-9_]*", label)
            assert label not in FORBIDDEN_LABELS


def test_help_texts_are_at_most_two_sentences() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[A-Z][^\"\n]+\.", metric.help), metric.name
        assert metric.help.count(". ") <= 1, metric.name


def test_each_metric_is_one_row_with_an_anchor_in_docs_metrics_md() -> None:
    rows = re.findall(
        r'^\| <a id="(\w+)"></a>`\1` \| [a-z ]+ \| (.+) \| [A-Z].+\. \|$', document(), re.MULTILINE
    )
    assert [name for name, _ in rows] == [metric.name for metric in METRICS]
    labels = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}
    for group in CATALOGUE:
        shared = "All have the label `organization`." in section(group.title)
        assert shared == all("organization" in metric.labels for metric in group.metrics)
        for metric in group.metrics:
            assert labels[metric.name] == {*metric.labels} - ({"organization"} if shared else set())


def section(title: str) -> str:
    """Return the section ``title`` of docs/metrics.md on one line."""
    return " ".join(document().partition(f"\n## {title}\n")[2].partition("\n## ")[0].split())


def test_every_label_is_explained() -> None:
    explained = {label for labels in LABELS for label in labels.split(", ")}
    assert explained == {label for metric in METRICS for label in metric.labels}


def test_names_are_distinct() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


async def exposed() -> dict[str, Metric]:
    """Return the metrics that a complete exporter exposes, by name."""
    settings = (
        "names: {enabled: true}, quotas: {enabled: true}, per_key_metrics: true,"
        f" usage: {{enabled: true, url: '{URL}'}}"
    )
    harness = Harness(300, settings=settings, rate_limit=SimulatedRateLimit(1000, 60))
    teams = "teams: [{name: payments, owners: [sa-1]}]\n"
    harness.configured(teams, web_config_file=True, keys_url="https://keys.team.example/keys")
    owner = SimulatedOwner("sa-1", "service-account")
    harness.organization.create(owner=owner, resources=(CLOUD,), now=harness.clock.wall())
    now = harness.clock.wall()
    harness.organization.add(SimulatedKey(API_KEY, owner, (CLOUD,), now - 9, expires_at=now + 9))
    harness.simulator.script(1, "500")
    await harness.exporter.refresh_once()
    await harness.exporter.refresh_once()
    harness.accounts[0].denied = frozenset({APPLIED_QUOTAS_PATH})
    await harness.exporter.refresh_once()
    token = TokenStatus("pool-1", harness.clock.wall() + 900)
    await harness.exporter.publish(replace(harness.state, token=token))
    text = harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False).decode()
    found = {}
    parts: defaultdict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        name, kind = family.name + suffix, family.type
        if part := re.search("_(bucket|gcount|gsum)$", name):
            name, kind = name.removesuffix(part[0]), "gaugehistogram"
            parts[name].add(part[1])
        found[name] = Metric(name, kind, family.documentation, tuple(sorted(labels)))
    assert all(each == {"bucket", "gcount", "gsum"} for each in parts.values())
    return found


async def test_the_exposition_has_exactly_the_metrics_of_the_catalogue() -> None:
    expected = {
        metric.name: Metric(metric.name, metric.type, metric.help, tuple(sorted(metric.labels)))
        for metric in METRICS
    }
    assert await exposed() == expected


async def test_openmetrics_names_the_unit_of_every_family_that_has_one() -> None:
    """Including those of the client library; the parser rejects any other unit."""
    harness = Harness(5)
    for _ in range(2):
        await harness.exporter.refresh_once()
    openmetrics = harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False)
    process = Instruments(clock=harness.clock).process(Format.OPENMETRICS)
    units = {
        family.name: family.unit
        for exposition in (openmetrics, process)
        for family in text_string_to_metric_families(exposition.decode())  # type: ignore[no-untyped-call]
    }
    assert {name: unit for name, unit in units.items() if unit} == {
        name: unit
        for name in units
        for unit in ("seconds", "bytes", "ratio")
        if name.endswith(f"_{unit}")
    }
    some = {
        "confluent_cloud_api_throttled_seconds": "seconds",
        "confluent_cloud_organization_vanished_api_keys_ratio": "ratio",
        "confluent_cloud_exporter_config_last_reload_success_timestamp_seconds": "seconds",
        "process_cpu_seconds": "seconds",
        "process_resident_memory_bytes": "bytes",
    }
    assert {name: units.get(name) for name in some} == some


async def test_the_text_format_has_no_units() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    assert "# UNIT" not in harness.exposition()
