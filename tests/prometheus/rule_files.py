"""The rules and alerts that Prometheus is given, and what their expressions speak of."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from exporter.exposition.catalogue import CATALOGUE
from tests.programs import ROOT, program

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "prometheus"
FILES = [FOLDER / "rules" / f"confluent-api-keys.{kind}.yml" for kind in ("recording", "alerts")]
GROUPS: list[Any] = [
    group for file in FILES for group in yaml.safe_load(file.read_text())["groups"]
]
RULES: list[Any] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS: dict[str, Any] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED: dict[str, str] = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}

ADDED = {"job", "instance", "pod"}
"""Labels that Prometheus adds."""
SUFFIXES: dict[str, dict[str, set[str]]] = {
    "histogram": {"_bucket": {"le"}, "_count": set(), "_sum": set()},
    "gaugehistogram": {"_bucket": {"le"}, "_gcount": set(), "_gsum": set()},
}
EXPOSED: dict[str, set[str]] = {
    "up": ADDED,
} | {
    metric.name + suffix: {*metric.labels, *more, *ADDED}
    for section in CATALOGUE
    for metric in section.metrics
    for suffix, more in SUFFIXES.get(metric.type, {"": set()}).items()
}
"""The labels of every sample there is, by its name."""
_TEXT = r'"(?:[^"\\]|\\.)*"|\'[^\']*\''
_GROUPING = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
_SELECTOR = r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\}|(?![\w:]|\s*\())"
_OPERATORS = {"and", "or", "unless", "offset", "bool"}


def selectors(expression: str) -> dict[str, set[str]]:
    """Return the labels that are compared, by the name of what is selected, leftmost first."""
    bare = re.sub(_GROUPING, " ", re.sub(_TEXT, '""', expression))
    bare = re.sub(r"\[[^]]*\]|\boffset\s+\w+|\b\d[\w.]*", " ", bare)
    found: dict[str, set[str]] = {}
    for name, matchers in re.findall(_SELECTOR, bare):
        if name not in _OPERATORS:
            found.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", matchers))
    return found


def grouped_by(expression: str) -> set[str]:
    """Return the labels that are grouped or joined by, or left out."""
    groups = re.findall(_GROUPING, expression)
    return {label for each in groups for label in re.findall(r"\w+", each)}


def samples_of(expression: str) -> set[str]:
    """Return the names of the exposed samples that ``expression`` is computed from."""
    names = selectors(expression)
    return {
        sample
        for name in names
        for sample in (samples_of(RECORDED[name]) if name in RECORDED else {name})
    }


def labels_of(expression: str) -> set[str]:
    """Return the labels of what is selected leftmost, less those that are left out before it.

    It is the left side of comparisons and of ``and`` that an expression gets its labels from.
    """
    if expression.startswith("absent("):
        return set()  # a matcher is not an equality
    leftmost = next(iter(selectors(expression)))
    left_out = re.findall(r"(?<!topk )without \(([^)]*)\)", expression.partition(leftmost)[0])
    inherited = labels_of(RECORDED[leftmost]) if leftmost in RECORDED else EXPOSED[leftmost]
    return inherited - {label for each in left_out for label in each.split(", ")}


def promtool(*arguments: str | Path) -> str:
    """Run promtool, which has to succeed; return what it says."""
    done = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def in_a_hurry(rules: str) -> str:
    """Return the text of a rule file whose alerts need to hold for a second only."""
    text, changed = re.subn(r"\n( +)for: \w+\n", r"\n\1for: 1s\n", rules)
    assert changed == rules.count("- alert:")
    return text
