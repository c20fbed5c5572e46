"""The variables at the top of the dashboards."""

from __future__ import annotations

from exporter.exposition import catalogue
from monitoring.dashboards.panels import DATASOURCE
from monitoring.dashboards.queries import ORGANIZATION, gauge, selector
from monitoring.dashboards.sdk import dashboard, model

_LABEL_VALUES, _QUERY_RESULT = 1, 3  # as the editor of Grafana's Prometheus plugin numbers them


def datasource() -> dashboard.DatasourceVariable:
    """Return the variable for the data source."""
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def targets() -> list[dashboard.QueryVariable]:
    """Return the variables for the exporters."""
    name = catalogue.BUILD_INFO.name
    return [
        _variable("job", "Job", f"label_values({name}, job)"),
        _variable("instance", "Instance", f'label_values({name}{{job=~"$job"}}, instance)'),
    ]


def organization() -> dashboard.QueryVariable:
    """Return the variable for the organizations, including those whose refreshes fail."""
    series = selector(catalogue.UP, filters=())
    return _variable("organization", "Organization", f"label_values({series}, organization)")


def inventory() -> list[dashboard.QueryVariable]:
    """Return the variables for the contents of the organizations."""
    owners = selector(catalogue.OWNER_API_KEYS, filters=ORGANIZATION)
    resources = selector(catalogue.RESOURCE_API_KEYS, filters=ORGANIZATION)
    return [
        _environment(),
        _variable("owner_kind", "Owner kind", f"label_values({owners}, owner_kind)"),
        _variable("resource_kind", "Resource kind", f"label_values({resources}, resource_kind)"),
    ]


def hidden_inventory() -> list[dashboard.QueryVariable]:
    """Return the same variables, hidden.

    The health dashboard does not use them. It keeps their values for the link back.
    """
    return [each.hide(model.VariableHide.HIDE_VARIABLE) for each in inventory()]


def _environment() -> dashboard.QueryVariable:
    """Return the variable for the environments. It shows names; its values are ids."""
    series = gauge(catalogue.ENVIRONMENT_INFO, filters=ORGANIZATION)
    names = f"max by (environment_id, environment_name) ({series})"
    variable = _variable("environment", "Environment", f"query_result({names})", kind=_QUERY_RESULT)
    # "All" includes Cloud keys and keys for whole regions, which have no environment.
    variable.all_value(".*")
    # Grafana matches this against {environment_id="env-1",environment_name="prod"} 1 1700000000000
    # and does not escape quotes in names, so the name ends at the last quote.
    return variable.regex(r'/environment_id="(?<value>[^"]+)".*environment_name="(?<text>.+)"\}/')


def _variable(
    name: str, label: str, query: str, kind: int = _LABEL_VALUES
) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"qryType": kind, "query": query, "refId": "PrometheusVariableQueryEditor"})
        .definition(query)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )
