"""Every alert has a runbook, its commands and queries are valid, and no link is broken."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest

from exporter import config
from exporter.cli import arguments
from exporter.cli.output import PROGRAM
from exporter.version import PROJECT_URL
from tests.markdown import code_blocks
from tests.programs import ROOT, program
from tests.prometheus.rule_files import ALERTS, EXPOSED, RECORDED, labels_of, promtool, selectors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FOLDER = ROOT / "docs" / "runbooks"
TEXTS = {file.stem: file.read_text() for file in sorted(FOLDER.glob("*.md"))}
"""By file name without its suffix; ``README`` is the index."""
PAGES = {name: text for name, text in TEXTS.items() if name != "README"}
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Silencing"]
IN_WORDS = {
    "10m": "for 10 minutes",
    "15m": "for 15 minutes",
    "30m": "for 30 minutes",
    "1h": "for an hour",
}
"""How the pages write each ``for`` of a rule."""
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))
OUTPUT = [
    "Healthy.",
    "api key created",
    "api key deleted",
    "configuration loaded",
    "refresh failed",
    "refreshed",
    "the new configuration was rejected",
    "the port is in use",
]
"""Log messages and answers of the exporter that the pages quote."""
DASHBOARDS: list[Any] = [
    json.loads(file.read_text()) for file in (ROOT / "grafana" / "dashboards").glob("*.json")
]
ENVIRON = {"CONFLUENT_CLOUD_API_KEY": "K", "CONFLUENT_CLOUD_API_SECRET": "S"}

pages = pytest.mark.parametrize("name", PAGES)
texts = pytest.mark.parametrize("name", TEXTS)


def lines(text: str) -> list[str]:
    """Return the shell commands, each with its continuation lines joined."""
    typed = "".join(code_blocks(text, "sh")).replace("\\\n", " ")
    return [*typed.splitlines(), *re.findall(r"`(confluent-api-keys-exporter [^`]*)`", text)]


def sections(text: str) -> dict[str, str]:
    """Return the text of each section by its heading."""
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# One page for each alert


def test_every_alert_has_exactly_one_runbook() -> None:
    assert PAGES.keys() == ALERTS.keys()
    assert len(ALERTS) >= 20


@pytest.mark.parametrize("alert", ALERTS)
def test_the_alert_links_to_its_runbook(alert: str) -> None:
    url = ALERTS[alert]["annotations"]["runbook_url"]
    assert url.startswith(f"{PROJECT_URL}/")
    assert ROOT / url.removeprefix(f"{PROJECT_URL}/") == FOLDER / f"{alert}.md"
    assert (FOLDER / f"{alert}.md").is_file()


def test_the_index_lists_every_alert_with_its_severity() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\((\w+)\.md\) \| (\S.*\.) \| (\w+) \| (\S.*\.) \|$",
        TEXTS["README"],
        re.MULTILINE,
    )
    assert [(name, severity) for name, _, _, severity, _ in rows] == [
        (name, rule["labels"]["severity"]) for name, rule in ALERTS.items()
    ]
    assert all(name == link for name, link, *_ in rows)


@pages
def test_the_page_has_a_summary_and_all_sections(name: str) -> None:
    title, summary = PAGES[name].split("\n\n", 2)[:2]
    assert title == f"# {name}"
    assert re.fullmatch(r"[A-Z].*\.", summary, re.DOTALL)
    found = sections(PAGES[name])
    assert list(found) == SECTIONS
    assert all(each.strip() for each in found.values())


@pages
def test_the_page_has_the_severity_and_duration_of_the_rule(name: str) -> None:
    rule, found = ALERTS[name], sections(PAGES[name])
    severity = rule["labels"]["severity"].capitalize()
    assert found["Impact"].startswith(f"\n**{severity}.** ")
    assert IN_WORDS[rule["for"]] in " ".join(found["Meaning"].split()).lower()


def test_the_pages_name_the_default_of_each_setting() -> None:
    (organization,) = config.parse(
        "organizations: [{name: acme}]", file="config.yaml", folder=FOLDER, environ=ENVIRON
    ).organizations
    found = {
        (setting, " ".join(value.split()))
        for text in TEXTS.values()
        for setting, value in re.findall(r"`([a-z_.]+)`\s\(([^()]*)\sby\sdefault\)", text)
    }
    assert {setting for setting, _ in found} >= {"stale_after", "policy.max_age", "max_pairs"}
    for setting, value in found:
        assert in_words(attrgetter(setting)(organization)) == value, setting


def in_words(value: object) -> str:
    """Return a number, or a duration of at least a minute, as the pages write it."""
    if isinstance(value, float) and value >= 60:
        unit, seconds = next(each for each in UNITS if value % each[1] == 0)
        return f"{value / seconds:g} {unit}" + ("s" if value > seconds else "")
    return f"{value:,}"


@pytest.mark.parametrize("output", OUTPUT)
def test_the_quoted_output_exists_in_the_exporter(output: str) -> None:
    assert any(f"`{output}`" in " ".join(text.split()) for text in PAGES.values())
    assert any(output in file.read_text() for file in (ROOT / "exporter").rglob("*.py"))


# Commands and queries


def parsed(line: str) -> argparse.Namespace:
    program_, *rest = shlex.split(re.split(r"\s[|>]", line)[0])
    assert program_ == PROGRAM
    try:
        return arguments.parse(rest)
    except SystemExit:
        pytest.fail(f"wrong usage: {line}")


def commands(text: str) -> Iterator[argparse.Namespace]:
    """Yield the arguments of the exporter's commands, as its own parser reads them."""
    for line in lines(text):
        if match := re.search(r"(?<!\S)confluent-api-keys-exporter\s.*", line):
            yield parsed(match[0])


@texts
def test_the_commands_are_valid_and_only_read(name: str) -> None:
    found = list(commands(TEXTS[name]))
    assert all(each.command in {"report", "check"} or each.config_check for each in found)


@pages
def test_the_page_reports_the_policy_of_its_alert(name: str) -> None:
    policies = set(re.findall(r'policy="(\w+)"', ALERTS[name]["expr"]))
    asked = {one for each in commands(PAGES[name]) for one in vars(each).get("policy", ())}
    assert policies <= asked


def test_two_pages_have_no_commands() -> None:
    # One is about a missing target, the other about a rate limit that commands would use up.
    assert {name for name in PAGES if not list(commands(PAGES[name]))} == {
        "ConfluentApiKeysExporterAbsent",
        "ConfluentApiKeysRateLimitNearlyExhausted",
    }


@texts
def test_the_configuration_is_valid(name: str, tmp_path: Path) -> None:
    for block in code_blocks(TEXTS[name], "yaml"):
        config.parse(block, file=f"{name}.md", folder=tmp_path, environ=ENVIRON)


@pytest.mark.integration
@texts
def test_the_queries_are_valid_and_select_existing_metrics(name: str, tmp_path: Path) -> None:
    found = code_blocks(TEXTS[name], "promql")
    for query in found:
        assert selectors(query)
        assert selectors(query).keys() <= EXPOSED.keys() | RECORDED.keys()
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(found)]
    path = tmp_path / "rules.json"  # JSON is valid YAML
    path.write_text(json.dumps({"groups": [{"name": name, "rules": rules}]}))
    promtool("check", "rules", path)


# Silences


def silences(text: str) -> Iterator[Sequence[str]]:
    for line in lines(text):
        if line.startswith("amtool silence add "):
            yield shlex.split(line)[3:]


@pages
def test_the_silence_is_narrow_and_has_a_duration(name: str) -> None:
    labels = labels_of(ALERTS[name]["expr"].strip()) | {"alertname", "severity"}
    found = list(silences(PAGES[name]))
    assert found
    for words in found:
        options = [word for word in words if word.startswith("--")]
        assert [option.partition("=")[0] for option in options] == ["--duration", "--comment"]
        assert all(option.partition("=")[2] for option in options)
        matchers = dict(word.split("=", 1) for word in words if word not in options)
        assert matchers["alertname"] == name
        assert matchers.keys() <= labels
        assert len(matchers) >= 2
        assert "organization" in matchers or "organization" not in labels


@pytest.mark.integration
@pages
def test_amtool_accepts_the_silence(name: str) -> None:
    for words in silences(PAGES[name]):
        nowhere = "--alertmanager.url=http://127.0.0.1:1"
        done = subprocess.run(
            [program("amtool"), nowhere, "silence", "add", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        # amtool parses all arguments before it connects.
        assert "127.0.0.1:1: connect: connection refused" in done.stderr


# Panels and links


@pages
def test_the_panels_exist(name: str) -> None:
    titles = {
        dashboard["title"]: {
            panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"
        }
        for dashboard in DASHBOARDS
    }
    text = " ".join(PAGES[name].split())
    shown = re.findall(r'Dashboard "([^"]*)": ((?:\*\*[^*]*\*\*[,.] ?)+)', text)
    assert len(shown) == text.count("Dashboard ") > 0
    for dashboard, panels in shown:
        assert set(re.findall(r"\*\*(.*?)\*\*", panels)) <= titles[dashboard]


def plain(text: str) -> str:
    """Return Markdown without code blocks and inline code."""
    return re.sub(r"^ *```.*?^ *```$|`[^`]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub generates for the headings."""
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def test_anchors_match_those_of_github() -> None:
    text = "# A `b_c`: d-e?\n## Twice\n## Twice\n```sh\n# a comment\n```\n## [Link](x.md) & more\n"
    assert anchors(text) == {"a-b_c-d-e", "twice", "twice-1", "link--more"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_links_are_not_broken(document: Path) -> None:
    text = plain(document.read_text())
    targets = re.findall(r"\]\(\s*<?([^)>\s]+)", text)
    targets += re.findall(r"^\[[^]]+\]:\s*(\S+)", text, re.MULTILINE)
    for target in targets:
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target
