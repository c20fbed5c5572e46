"""The parts of Grafana's SDK that the dashboards are made of."""

import warnings

with warnings.catch_warnings():
    # The SDK advertises the schema v2 while it defines the classic dashboard. Grafana 11 reads
    # only the classic one, and 12 and 13 read both.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        bargauge,
        common,
        dashboard,
        prometheus,
        stat,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common as values
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = [
    "JSONEncoder",
    "PromQueryFormat",
    "bargauge",
    "common",
    "dashboard",
    "model",
    "prometheus",
    "stat",
    "table",
    "timeseries",
    "values",
]
