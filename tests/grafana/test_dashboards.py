"""The dashboards in the repository: generated, and following conventions.

Everything but the first test walks the JSON itself, as Grafana does, and knows nothing of the
program that writes it.
"""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from exporter.clock import SystemClock
from exporter.errors import CREDENTIALS_FAILURE_REASONS, REQUEST_FAILURE_REASONS
from exporter.exposition import Format
from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.instruments import Instruments
from exporter.inventory import POLICIES
from monitoring.dashboards import dashboards
from tests.grafana.boards import BOARDS, FOLDER, PANELS, everything_of, panels_of
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS, HEALTH = BOARDS["api-keys.json"], BOARDS["exporter-health.json"]
METRICS = {metric.name: metric for section in CATALOGUE for metric in section.metrics}
LABELS = {label for metric in METRICS.values() for label in metric.labels}
OTHERS = {
    "up",
    "scrape_samples_scraped",
    "scrape_duration_seconds",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
"""Metrics of Prometheus itself and of its client library."""
SPENT = {
    "confluent_cloud_api_requests_total",
    "confluent_cloud_api_request_failures_total",
    "confluent_cloud_api_request_duration_seconds",
    "confluent_cloud_api_throttled_seconds_total",
}
"""Metrics that each replica counts for itself, so they are summed."""
OF_EACH = {
    "confluent_cloud_exporter_build_info",
    "confluent_cloud_exporter_config_last_reload_successful",
    "confluent_cloud_exporter_config_last_reload_success_timestamp_seconds",
    "confluent_cloud_exporter_shard_ordinal",
    "confluent_cloud_exporter_total_shards",
    "confluent_cloud_exporter_web_config_last_reload_successful",
} | OTHERS
"""Metrics about each exporter itself."""
OF_RULES = {"ALERTS", "ALERTS_FOR_STATE"}
"""Series that Prometheus writes for alerts. An alert may lack any of the labels."""
FIXED = {"exporter-health.json: Failed requests, query A": ("[30m]",)}
"""Fixed windows, the same as in the alerts."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
FILTERS = {
    "organization": "organization",
    "owner_kind": "owner_kind",
    "resource_kind": "resource_kind",
    "environment_id": "environment",
}
"""Labels, and the variables that filter them."""

_SELECTOR = re.compile(r"\b([A-Za-z_]\w*)\{([^{}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_VARIABLE = re.compile(r"\$\{?(\w+)")


TARGETS = {
    f"{place}, query {target['refId']}": target
    for place, panel in PANELS.items()
    for target in panel["targets"]
}
each_board = pytest.mark.parametrize("name", BOARDS)
each_panel = pytest.mark.parametrize("panel", PANELS.values(), ids=list(PANELS))


def asked(board: Any) -> Iterator[tuple[str, str]]:
    """Yield every expression of the panels and annotations of ``board``, with its place."""
    for panel in panels_of(board):
        for target in panel["targets"]:
            yield f"{panel['title']}, query {target['refId']}", target["expr"]
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


EXPRESSIONS = {
    f"{name}: {place}": expression
    for name, board in BOARDS.items()
    for place, expression in asked(board)
}


class Use(NamedTuple):
    """One selector in one expression."""

    place: str
    series: str
    matchers: dict[str, str]
    """Operator and value by label, in their order."""
    before: str
    after: str

    @property
    def metric(self) -> str:
        """The name in the catalogue, without the suffix of a histogram."""
        for suffix in ("_bucket", "_count", "_sum", "_gcount", "_gsum"):
            if self.series not in METRICS and self.series.removesuffix(suffix) in METRICS:
                return self.series.removesuffix(suffix)
        return self.series


def uses() -> Iterator[Use]:
    for place, expression in EXPRESSIONS.items():
        for match in _SELECTOR.finditer(expression):
            found = _MATCHER.findall(match[2])
            assert len(found) == match[2].count(", ") + 1, f"{place}: what is {match[0]}?"
            matchers = {label: operator + value for label, operator, value in found}
            before, after = expression[: match.start()], expression[match.end() :]
            yield Use(place, match[1], matchers, before, after)


USES = list(uses())


def columns(panel: Any) -> dict[str, str]:
    """Return the headers of a table by field."""
    found: dict[str, str] = {}
    for each in panel.get("transformations", []):
        if each["id"] == "organize":
            found |= each["options"]["renameByName"]
    return found


def cell_links(panel: Any) -> Iterator[str]:
    for override in panel["fieldConfig"]["overrides"]:
        for each in override["properties"]:
            if each["id"] == "links":
                yield from (link["url"] for link in each["value"])


def test_the_committed_files_are_up_to_date() -> None:
    committed = {file.name: file.read_bytes() for file in FOLDER.iterdir()}
    written = {name: text.encode() for name, text in dashboards().items()}
    assert written.keys() == committed.keys()
    stale = [name for name in written if written[name] != committed[name]]
    assert not stale, "run: make monitoring"


def test_uids_and_titles_never_change() -> None:
    assert {name: (board["uid"], board["title"]) for name, board in BOARDS.items()} == {
        "api-keys.json": ("confluent-api-keys", "Confluent Cloud API keys"),
        "exporter-health.json": (
            "confluent-api-keys-health",
            "Confluent Cloud API and exporter health",
        ),
    }


@each_board
def test_a_dashboard_imports_into_grafana_11_and_later(name: str) -> None:
    board = BOARDS[name]
    assert board["id"] is None
    assert board["schemaVersion"] == 39
    assert "__inputs" not in board
    assert board["editable"] is False
    assert board["refresh"] == "1m"
    assert board["time"] == {"from": "now-7d", "to": "now"}
    assert board["graphTooltip"] == 1, "a shared crosshair"
    assert board["tags"] == ["confluent", "api-keys"]
    assert len(board["description"]) > 40


# Panels ------------------------------------------------------------------------------------------


@each_panel
def test_a_panel_has_a_description_a_unit_and_a_text_for_missing_data(panel: Any) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert re.fullmatch(r"[A-Z][^\n]{60,}\.", panel["description"]), "sentences"
    assert defaults["unit"]
    assert re.search("[a-z]{2}", defaults["noValue"]), "words where there is no data"


@each_board
def test_titles_and_ids_are_distinct(name: str) -> None:
    panels = everything_of(BOARDS[name])
    titles = [panel["title"] for panel in panels]
    ids = [panel["id"] for panel in panels]
    assert len(set(titles)) == len(titles)
    assert len(set(ids)) == len(ids)


def opened(name: str) -> dict[str, dict[str, int]]:
    """Return the places of panels and rows, by title, with every row expanded."""
    places: dict[str, dict[str, int]] = {}
    moved = 0
    for top in BOARDS[name]["panels"]:
        places[top["title"]] = {**top["gridPos"], "y": top["gridPos"]["y"] + moved}
        inside = [(each["title"], each["gridPos"]) for each in top.get("panels", [])]
        for title, place in inside:
            assert place["y"] >= top["gridPos"]["y"] + 1, title
            places[title] = {**place, "y": place["y"] + moved}
        bottom = max((place["y"] + place["h"] for _, place in inside), default=0)
        moved += max(0, bottom - top["gridPos"]["y"] - 1)
    return places


@each_board
def test_panels_fit_24_columns_without_overlap(name: str) -> None:
    places = opened(name)
    for title, at in places.items():
        assert at["w"] > 0, title
        assert at["h"] > 0, title
        assert 0 <= at["x"] <= 24 - at["w"], title
    for (one, a), (other, b) in combinations(places.items(), 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or apart, f"{one} lies over {other}"


@each_board
def test_panels_leave_no_gaps(name: str) -> None:
    for places in (opened(name).values(), [top["gridPos"] for top in BOARDS[name]["panels"]]):
        covered = {
            (column, line)
            for at in places
            for column in range(at["x"], at["x"] + at["w"])
            for line in range(at["y"], at["y"] + at["h"])
        }
        height = max(line for _, line in covered) + 1
        assert covered == {(column, line) for column in range(24) for line in range(height)}


@each_board
def test_the_first_line_starts_with_the_state_of_the_data(name: str) -> None:
    first = [panel for panel in BOARDS[name]["panels"] if panel["gridPos"]["y"] == 0]
    assert {panel["type"] for panel in first} <= {"stat", "bargauge"}
    assert [panel["title"] for panel in first[:2]] == ["Organizations failing", "Data age"]


@each_board
def test_only_the_processes_row_is_collapsed(name: str) -> None:
    rows = {panel["title"]: panel for panel in BOARDS[name]["panels"] if panel["type"] == "row"}
    assert len(rows) >= 5
    closed = {title for title, row in rows.items() if row["collapsed"]}
    assert closed == ({"Processes"} if name == "exporter-health.json" else set())
    assert closed == {title for title, row in rows.items() if row["panels"]}


def test_the_findings_have_one_bar_per_policy_in_order() -> None:
    bars = PANELS["api-keys.json: Findings by policy"]
    asked_for = [re.findall(r'policy="(\w+)"', target["expr"]) for target in bars["targets"]]
    assert [set(each) for each in asked_for] == [{policy} for policy in POLICIES]


@each_panel
def test_thresholds_contain_no_numbers_of_days_or_keys(panel: Any) -> None:
    """A step at 1 means "any"; steps between 0 and 1 are shares of a limit."""
    judged = [(panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"])]
    for override in panel["fieldConfig"]["overrides"]:
        by_id = {each["id"]: each.get("value") for each in override["properties"]}
        judged.append((by_id.get("unit", judged[0][0]), by_id))
    for unit, settings in judged:
        for step in (settings.get("thresholds") or {}).get("steps", []):
            share = unit == "percentunit" and 0 < (step["value"] or 1) < 1
            assert step["value"] in {None, 0, 1} or share, step


@each_panel
def test_unknown_values_have_no_color(panel: Any) -> None:
    """Grafana uses the base color for them, which must not look like a judgment."""
    fields = panel["fieldConfig"]
    settings = [("defaults", fields["defaults"])]
    for override in fields["overrides"]:
        by_id = {each["id"]: each.get("value") for each in override["properties"]}
        settings.append((override["matcher"]["options"], by_id))
    for place, each in settings:
        steps = (each.get("thresholds") or {"steps": []})["steps"]
        assert [step["color"] for step in steps if step["value"] is None] in (
            [],
            ["transparent"],
            ["text"],
        ), place
    if panel["type"] == "stat":
        (base, *_) = fields["defaults"]["thresholds"]["steps"]
        judged = panel["options"]["colorMode"] != "none"
        assert base["color"] == ("transparent" if judged else "text")


@each_panel
def test_labels_in_tables_are_not_formatted(panel: Any) -> None:
    """Neither as numbers in the panel's unit, nor as missing data."""
    if panel["type"] != "table":
        return
    first, *others = panel["fieldConfig"]["overrides"]
    assert first == {
        "matcher": {"id": "byType", "options": "string"},
        "properties": [{"id": "unit", "value": "string"}, {"id": "noValue", "value": ""}],
    }
    labels = {title for field, title in columns(panel).items() if not field.startswith("Value")}
    for override in others:
        if override["matcher"]["options"] in labels:
            assert not {"unit", "noValue"} & {each["id"] for each in override["properties"]}


each_graph = pytest.mark.parametrize(
    "panel",
    [panel for panel in PANELS.values() if panel["type"] == "timeseries"],
    ids=[place for place, panel in PANELS.items() if panel["type"] == "timeseries"],
)
FITTED = {"Keys by organization", "Series exposed", "Memory"}
"""Graphs of large numbers whose changes matter."""


@each_graph
def test_a_legend_shows_the_latest_value_and_an_extreme(panel: Any) -> None:
    legend = panel["options"]["legend"]
    assert (legend["showLegend"], legend["displayMode"]) == (True, "table")
    assert legend["calcs"][0] == "lastNotNull"
    assert {"min", "max"} & {*legend["calcs"]}
    assert (legend["sortBy"], legend["sortDesc"]) == ("Last *", True)


@each_graph
def test_an_axis_fits_zeros_and_small_changes(panel: Any) -> None:
    """Grafana would end the axis at 100 for zeros, and hide small changes of large numbers."""
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    assert "max" not in defaults, "a share of a few percent would be a flat line"
    if panel["title"] in FITTED:
        assert "min" not in defaults
        assert not {"axisSoftMin", "axisSoftMax"} & custom.keys()
    else:
        assert 0 < custom["axisSoftMax"] <= 1
        both_ways = panel["title"] == "Keys created and deleted"
        assert defaults.get("min") == (None if both_ways else 0)
        assert custom.get("axisSoftMin") == (-1 if both_ways else None)


FAILING = {
    "confluent_cloud_api_request_failures_total",
    "confluent_cloud_api_error_ratio",
    "confluent_cloud_exporter_refresh_failures_total",
    "confluent_cloud_organization_vanished_api_keys_ratio",
    "confluent_cloud_exporter_collapsed_pairs",
    "confluent_cloud_exporter_unreadable_items",
}


def test_failures_are_never_green() -> None:
    failing = {use.place.rsplit(", query ", 1)[0] for use in USES if use.metric in FAILING}
    graphs = {place for place in failing if PANELS[place]["type"] == "timeseries"}
    assert {place.partition(": ")[2] for place in graphs} == {
        "Failures by reason",
        "Error ratio of the latest refresh",
        "Refresh failures by reason",
        "Vanished keys",
        "Collapsed pairs and unreadable items",
    }
    for place in graphs:
        fields = PANELS[place]["fieldConfig"]
        colors = [fields["defaults"]["color"]]
        for override in fields["overrides"]:
            colors += [each["value"] for each in override["properties"] if each["id"] == "color"]
        for color in colors:
            assert color["mode"] == "shades", "Grafana's own palette begins with green"
            assert color["fixedColor"] in {"red", "orange", "yellow", "purple"}


def colors_of(title: str, name: str) -> list[str]:
    """Return the colors that overrides give to the series ``name``."""
    return [
        each["properties"][0]["value"]["fixedColor"]
        for each in PANELS[f"exporter-health.json: {title}"]["fieldConfig"]["overrides"]
        if re.search(each["matcher"]["options"].strip("/"), name)
    ]


def test_status_codes_have_the_color_of_their_class() -> None:
    codes = ("101", "200", "302", "403", "503", "none")
    assert {code: colors_of("Requests by status code", code) for code in codes} == {
        "101": ["blue"],
        "200": ["green"],
        "302": ["blue"],
        "403": ["orange"],
        "503": ["red"],
        "none": ["purple"],
    }


@pytest.mark.parametrize("title", ["Failures by reason", "Refresh failures by reason"])
def test_failure_reasons_are_colored_by_who_must_act(title: str) -> None:
    default = PANELS[f"exporter-health.json: {title}"]["fieldConfig"]["defaults"]["color"]
    assert default["fixedColor"] == "red"
    shown = {
        # The name of a series may start with an organization named timeout.
        reason: "".join(colors_of(title, f"timeout api_keys {reason}"))
        for reason in (*REQUEST_FAILURE_REASONS, *CREDENTIALS_FAILURE_REASONS)
    }
    assert shown == dict.fromkeys(shown, "") | {
        "rate_limited": "orange",
        "unauthorized": "purple",
        "forbidden": "purple",
        "credentials": "purple",
        "token_unreadable": "purple",
        "token_refused": "purple",
        "identity_provider": "purple",
        "timeout": "yellow",
        "connection": "yellow",
        "tls": "yellow",
    }


@pytest.mark.parametrize(
    ("title", "column", "words"),
    [
        ("Fullest quotas", "In a week", "unknown"),
        ("Fullest quotas", "Full in", "unknown"),
        ("Owners with the most keys", "Next expiry", "no expiry"),
        ("Owners with the most keys", "Findings", "not evaluated"),
        ("Upcoming expiries", "Policy", "not evaluated"),
        ("Known activity by organization", "Known for", "usage off"),
        ("Known activity by organization", "Not evaluated", "usage off"),
        ("Known activity by organization", "Unused keys", "not evaluated"),
    ],
)
def test_a_column_has_a_text_for_unknown_values(title: str, column: str, words: str) -> None:
    """Its query returns -1 then. A query without results would remove the column."""
    (override,) = (
        each["properties"]
        for each in PANELS[f"api-keys.json: {title}"]["fieldConfig"]["overrides"]
        if each["matcher"]["options"] == column
    )
    (mapping,) = next(each["value"] for each in override if each["id"] == "mappings")
    assert mapping["options"]["-1"] == {"text": words}


def test_deleted_keys_are_drawn_below_0_but_shown_as_positive_numbers() -> None:
    panel = PANELS["api-keys.json: Keys created and deleted"]
    (below,) = (
        each["matcher"]["options"]
        for each in panel["fieldConfig"]["overrides"]
        if {"id": "custom.transform", "value": "negative-Y"} in each["properties"]
    )
    named = {each["refId"]: (each["legendFormat"], each["expr"][0]) for each in panel["targets"]}
    assert named == {"A": ("created", "r"), "B": ("deleted", "r")}
    assert below == "B"


def test_each_policy_has_one_name() -> None:
    bars = PANELS["api-keys.json: Findings by policy"]
    words = [target["legendFormat"] for target in bars["targets"]]
    for title in ("Findings by owner", "Exempt keys"):
        (policy,) = (
            each
            for each in PANELS[f"api-keys.json: {title}"]["fieldConfig"]["overrides"]
            if each["matcher"]["options"] == "Policy"
        )
        (mapping,) = next(
            each["value"] for each in policy["properties"] if each["id"] == "mappings"
        )
        shown = {name: to["text"] for name, to in mapping["options"].items()}
        assert shown == dict(zip(POLICIES, words, strict=True))


# Data source and variables -----------------------------------------------------------------------


@each_board
def test_every_query_uses_the_selected_data_source(name: str) -> None:
    board = BOARDS[name]
    asking = [
        *panels_of(board),
        *(target for panel in panels_of(board) for target in panel["targets"]),
        *board["annotations"]["list"],
        *(each for each in board["templating"]["list"] if each["type"] == "query"),
    ]
    assert [each for each in asking if each["datasource"] != DATASOURCE] == []


ALL_VARIABLES = [
    ("datasource", "Data source", None),
    ("job", "Job", ".+"),
    ("instance", "Instance", ".+"),
    ("organization", "Organization", ".+"),
    ("environment", "Environment", ".*"),
    ("owner_kind", "Owner kind", ".+"),
    ("resource_kind", "Resource kind", ".+"),
]
"""Names, labels and the value of All. Some keys belong to no environment."""


def test_the_variables_have_a_fixed_order() -> None:
    found = {
        name: [
            (each["name"], each["label"], each.get("allValue"))
            for each in board["templating"]["list"]
        ]
        for name, board in BOARDS.items()
    }
    assert found == dict.fromkeys(BOARDS, ALL_VARIABLES)


@each_board
def test_a_variable_is_visible_if_queries_use_it_and_otherwise_hidden(name: str) -> None:
    board = BOARDS[name]
    used = {
        variable for _, expression in asked(board) for variable in _VARIABLE.findall(expression)
    }
    for each in board["templating"]["list"][1:]:
        assert (each.get("hide", 0) == 0) == (each["name"] in used), each["name"]


@each_board
def test_variables_are_lists_that_start_with_all(name: str) -> None:
    source, *queries = BOARDS[name]["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    for each in queries:
        assert each["type"] == "query"
        assert each["multi"] is True
        assert each["includeAll"] is True
        assert each["current"] == {"selected": True, "text": ["All"], "value": ["$__all"]}
        assert each["refresh"] == 2, "on time range change"
        assert each["definition"] == each["query"]["query"]


@each_board
def test_each_variable_depends_only_on_those_before_it(name: str) -> None:
    known: set[str] = set()
    for each in BOARDS[name]["templating"]["list"]:
        if each["type"] == "query":
            used = set(_VARIABLE.findall(each["query"]["query"]))
            expected = {"job": set(), "instance": {"job"}, "organization": {"job", "instance"}}
            within = {"job", "instance", "organization"}
            assert used == expected.get(each["name"], within), each["name"]
            assert used <= known
        known.add(each["name"])


def test_failing_organizations_can_be_selected() -> None:
    for board in BOARDS.values():
        query = next(v for v in board["templating"]["list"] if v["name"] == "organization")["query"]
        assert query["query"].startswith("label_values(confluent_cloud_up{")


def test_an_environment_is_selected_by_name() -> None:
    variable = next(v for v in KEYS["templating"]["list"] if v["name"] == "environment")
    assert variable["query"]["query"].startswith("query_result(")
    pattern = variable["regex"].strip("/").replace("(?<", "(?P<")  # JavaScript's, as Python's
    # As Grafana's Prometheus plugin writes results; it does not escape quotes.
    line = '{environment_id="env-1a",environment_name="say "prod""} 1 1700000000000'
    match = re.search(pattern, line)
    assert match
    assert match.groupdict() == {"value": "env-1a", "text": 'say "prod"'}


@each_board
def test_queries_use_no_variable_that_the_dashboard_lacks(name: str) -> None:
    board = BOARDS[name]
    there = {each["name"] for each in board["templating"]["list"]}
    used = {
        variable
        for _, expression in asked(board)
        for variable in _VARIABLE.findall(expression)
        if not variable.startswith("__")
    }
    assert used <= there - {"datasource"}


# Queries -----------------------------------------------------------------------------------------


def test_every_selector_starts_with_the_selected_exporters() -> None:
    assert {use.place for use in USES} == EXPRESSIONS.keys()
    for use in USES:
        first = list(use.matchers.items())[:2]
        missing = "|" if use.series in OF_RULES else ""
        assert first == [("job", f"=~$job{missing}"), ("instance", f"=~$instance{missing}")], use


def test_every_metric_has_a_selector() -> None:
    """So the regular expressions of these tests find every metric."""
    for place, expression in EXPRESSIONS.items():
        rest = _SELECTOR.sub(" ", expression)
        assert not re.search(r"confluent_cloud_|process_|scrape_|ALERTS|\bup\b", rest), place


def test_every_metric_exists_and_has_the_labels_that_are_matched() -> None:
    for use in USES:
        assert use.metric in METRICS or use.series in OTHERS | OF_RULES, use
        metric = METRICS.get(use.metric)
        labels = set(metric.labels) if metric else set()
        if use.series in OF_RULES:
            labels = {"alertname", "alertstate", "severity", "organization"}
        if metric and metric.type == "gaugehistogram":
            assert use.series != use.metric, f"only the parts of it are series: {use}"
        if metric and metric.type in {"histogram", "gaugehistogram"}:
            labels |= {"le"} if use.series.endswith("_bucket") else set()
        assert use.matchers.keys() - {"job", "instance"} <= labels, use


def test_histograms_are_queried_as_classic_and_as_native() -> None:
    """With ``convert_classic_histograms_to_nhcb`` only the series without a suffix exists."""
    found: dict[str, set[str]] = {}
    for use in USES:
        metric = METRICS.get(use.metric)
        if metric and metric.type == "histogram":
            suffix = use.series.removeprefix(use.metric)
            reads = "histogram_quantile" if suffix == "_bucket" else "histogram_count"
            found.setdefault(use.place, set()).add(suffix or "native")
            if not suffix:
                assert re.search(rf"\b(histogram_quantile|{reads})\(", use.before), use
                assert " or " in EXPRESSIONS[use.place]
    assert found == {
        **{f"exporter-health.json: Latency, query {ref}": {"_bucket", "native"} for ref in "ABC"},
        "exporter-health.json: Failed requests, query A": {"_count", "native"},
    }


def test_queries_group_by_existing_labels() -> None:
    for place, expression in EXPRESSIONS.items():
        for inner in re.findall(r"\b(?:by|on|group_left) \(([^()]*)\)", expression):
            names = {name for name in inner.split(", ") if name}
            assert names <= LABELS | {"job", "instance", "le", "alertname"}, place


def test_variables_filter_by_their_label() -> None:
    for use in USES:
        metric = METRICS.get(use.metric)
        if metric and "organization" in metric.labels:
            assert use.matchers["organization"] == "=~$organization", use
        for label, matcher in use.matchers.items():
            if "$" in matcher and label not in {"job", "instance"}:
                missing = "|" if use.series in OF_RULES else ""
                assert matcher == f"=~${FILTERS[label]}{missing}", use


def test_two_replicas_do_not_double_a_number() -> None:
    """Duplicates are removed first, except for metrics that each replica counts for itself."""
    for use in USES:
        if use.metric in SPENT:
            added = r"\bsum(?: by \(\w+\) )?\((?:histogram_count\()?(?:rate|increase)\($"
            assert re.search(added, use.before), use
        elif use.metric not in OF_EACH | OF_RULES:
            taken = r"\b(?:max|min) without \(instance, pod\) \((?:[a-z_]+\()?$"
            assert re.search(taken, use.before), use


def test_a_panel_states_whether_it_sums_replicas() -> None:
    spending = {use.place.rsplit(", query ", 1)[0] for use in USES if use.metric in SPENT}
    said = {
        place
        for place, panel in PANELS.items()
        if "requests of all selected exporters" in panel["description"]
    }
    assert said == spending


def test_counters_are_queried_by_increase_and_gauges_are_not() -> None:
    for use in USES:
        metric = METRICS.get(use.metric)
        kind = metric.type if metric else "counter" if use.series.endswith("_total") else "gauge"
        function = re.search(r"\b(rate|increase|resets|changes)\($", use.before)
        assert bool(function) == (kind in {"counter", "histogram"}), use
        if function:
            windows = ("[$__rate_interval]", "[$__range]", *FIXED.get(use.place, ()))
            assert use.after.startswith(windows), use


def test_lines_use_the_rate_interval_and_numbers_the_time_range() -> None:
    """Except lines that are filtered by events within the range."""
    for use in USES:
        window = re.match(r"(\[.*?\])( @ end\(\))?", use.after)
        if window and use.place in TARGETS and use.metric != "confluent_cloud_exporter_build_info":
            over_time = TARGETS[use.place]["range"] and not window[2]
            usual = "[$__rate_interval]" if over_time else "[$__range]"
            assert window[1] in FIXED.get(use.place, (usual,)), use


def test_an_exporter_is_known_for_a_week_in_any_time_range() -> None:
    """Otherwise one that is down for longer than the range would not count."""
    known = [use for use in USES if "last_over_time(" in use.before[-16:]]
    builds = [use for use in known if use.metric == "confluent_cloud_exporter_build_info"]
    assert builds
    assert all(use.after.startswith("[7d]") for use in builds)


@each_panel
def test_graphs_use_range_queries_and_other_panels_instant_queries(panel: Any) -> None:
    over_time = panel["type"] == "timeseries"
    for target in panel["targets"]:
        assert (target["range"], target["instant"]) == (over_time, not over_time)


@pytest.mark.integration
def test_promtool_accepts_every_expression(tmp_path: Path) -> None:
    values = {
        "__rate_interval": "5m",
        "__range": "7d",
        "__interval": "5m",
        "__interval_ms": "300000",
    }
    plain = [
        re.sub(r"\$(\w+)", lambda match: values.get(match[1], ".+"), expression)
        for expression in EXPRESSIONS.values()
    ]
    rules = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(plain)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_metrics_of_the_process_exist() -> None:
    text = Instruments(clock=SystemClock()).process(Format.TEXT).decode()
    exposed = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    assert {name for name in OTHERS if name.startswith("process_")} <= exposed


# Tables, links and annotations -------------------------------------------------------------------


@each_panel
def test_a_table_shows_and_sorts_by_what_its_queries_return(panel: Any) -> None:
    if panel["type"] != "table":
        return
    titles = columns(panel)
    letters = [target["refId"] for target in panel["targets"]]
    assert all(target["format"] == "table" for target in panel["targets"])
    values = {"Value"} if len(letters) == 1 else {f"Value #{letter}" for letter in letters}
    returned = LABELS | values | {"job", "instance", "alertname", r"resource_kind\owner_kind"}
    assert titles.keys() <= returned
    if len(letters) > 1:
        assert panel["transformations"][0]["id"] == "merge"
    assert [each["displayName"] in titles.values() for each in panel["options"]["sortBy"]] == [True]
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] == "byName":
            assert override["matcher"]["options"] in titles.values()


@each_panel
def test_a_cell_links_to_the_same_dashboard_with_existing_variables(panel: Any) -> None:
    names = {each["name"] for each in KEYS["templating"]["list"]}
    for url in cell_links(panel):
        path, _, query = url.partition("?")
        assert path == f"/d/{KEYS['uid']}"
        time_range, *rest = query.split("&")
        assert time_range == "${__url_time_range}"
        kept = set(re.findall(r"&\$\{(\w+):queryparam\}", query))
        taken = dict(re.findall(r"&var-(\w+)=\$\{__data\.fields\.(\w+)\}", query))
        assert len(kept) + len(taken) == len(rest), url
        assert kept | taken.keys() == names, "no variable is lost"
        assert kept.isdisjoint(taken)
        assert set(taken.values()) <= columns(panel).keys(), "the row has what is taken from it"


def test_cells_of_owners_and_resources_set_their_variables() -> None:
    def set_by(title: str) -> set[str]:
        urls = " ".join(cell_links(PANELS[f"api-keys.json: {title}"]))
        return set(re.findall(r"&var-(\w+)=", urls))

    assert set_by("Owners with the most keys") == {"organization", "owner_kind"}
    assert set_by("Resources with the most keys") == {
        "organization",
        "environment",
        "resource_kind",
    }


def test_each_dashboard_links_to_the_other_and_keeps_the_selection() -> None:
    for board, other in ((KEYS, HEALTH), (HEALTH, KEYS)):
        assert board["links"]
        for link in board["links"]:
            assert link["type"] == "link"
            assert link["url"] == f"/d/{other['uid']}"
            assert link["keepTime"] is True
            assert link["includeVars"] is True


def test_a_panel_link_keeps_the_selection_in_its_url() -> None:
    """Grafana ignores ``keepTime`` and ``includeVars`` there."""
    links = {
        title: link["url"] for title, panel in PANELS.items() for link in panel.get("links", [])
    }
    url = f"/d/{HEALTH['uid']}?${{__url_time_range}}&${{__all_variables}}"
    assert links == {
        "api-keys.json: Organizations failing": url,
        "api-keys.json: Data age": url,
    }


@each_board
def test_of_three_annotations_only_starts_are_enabled(name: str) -> None:
    found = {each["name"]: each for each in BOARDS[name]["annotations"]["list"]}
    assert {title: each["enable"] for title, each in found.items()} == {
        "Keys created": False,
        "Keys deleted": False,
        "Exporter starts": True,
    }
    for each in found.values():
        assert " > " in each["expr"], "an event is where something happened"
        assert each["target"]["expr"] == each["expr"]
        assert each["target"]["interval"] == each["step"]
        assert each["titleFormat"]
        assert each["textFormat"]
        assert each["iconColor"]


@each_board
def test_links_and_annotations_are_not_hidden_in_a_menu(name: str) -> None:
    assert "inControlsMenu" not in json.dumps(BOARDS[name])


@each_board
def test_legends_use_existing_labels(name: str) -> None:
    texts = [
        *(t["legendFormat"] for panel in panels_of(BOARDS[name]) for t in panel["targets"]),
        *(each["textFormat"] for each in BOARDS[name]["annotations"]["list"]),
    ]
    assert {each for text in texts for each in re.findall(r"\{\{(\w+)\}\}", text)} <= {
        *LABELS,
        "job",
        "instance",
    }
