"""Records what the recording rules and the alerts would have been during the recorded week.

``promtool`` evaluates recording rules over the past, but not alerts. So the expression of each
alert is queried as a range, and an alert fires if it held for its duration at the end.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from monitoring.pictures.week import SCRAPE, WEEK
from tests.grafana.interpolation import seconds_of
from tests.prometheus.rule_files import ALERTS, FILES, promtool
from tests.prometheus.server import NO_TARGETS, prometheus_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.prometheus.server import Prometheus

_RECORDING = FILES[0]


def record_rules(folder: Path, *, until: float) -> None:
    """Add the recorded series of the week and the alerts at its end to ``folder / "data"``."""
    data, backfill = folder / "data", ("tsdb", "create-blocks-from")
    with prometheus_with(NO_TARGETS, folder) as prometheus:
        promtool(
            *(*backfill, "rules", f"--url={prometheus.url}", f"--output-dir={data}"),
            *(f"--start={until - WEEK:.0f}", f"--end={until:.0f}"),
            *(f"--eval-interval={SCRAPE:.0f}s", _RECORDING),
        )
    with prometheus_with(NO_TARGETS, folder) as prometheus:
        samples = list(_firing(prometheus, until))
    file = folder / "alerts.txt"
    file.write_text("".join((*samples, "# EOF\n")))
    promtool(*backfill, "openmetrics", file, data)


def _firing(prometheus: Prometheus, until: float) -> Iterator[str]:
    """Yield the samples that Prometheus would store for each firing alert."""
    for name, rule in ALERTS.items():
        held = seconds_of(rule.get("for", "0s"))
        fixed = {name: text for name, text in rule["labels"].items() if "{{" not in text}
        parameters = {
            "query": rule["expr"],
            "start": f"{until - WEEK:.0f}",
            "end": f"{until:.0f}",
            "step": f"{SCRAPE:.0f}",
        }
        for series in prometheus.ask("query_range", parameters)["result"]:
            since = _held_since([float(at) for at, _ in series["values"]], until)
            if since is None or until - since < held:
                continue
            labels = {**series["metric"], **fixed, "alertname": name}
            labels.pop("__name__", None)
            yield _sample("ALERTS", {**labels, "alertstate": "firing"}, 1, until)
            yield _sample("ALERTS_FOR_STATE", labels, since, until)


def _held_since(times: list[float], until: float) -> float | None:
    """Return the beginning of the uninterrupted run of ``times`` that ends at ``until``."""
    since = None
    expected = until
    for at in reversed(times):
        if at < expected:
            break
        since, expected = at, at - SCRAPE
    return since


def _sample(name: str, labels: Mapping[str, Any], value: float, at: float) -> str:
    # The escaping of JSON is that of the format, for what labels contain.
    pairs = ",".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in labels.items())
    return f"{name}{{{pairs}}} {value} {at:.3f}\n"
