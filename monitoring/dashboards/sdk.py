"""The parts of Grafana's SDK that the dashboards use."""

import warnings

with warnings.catch_warnings():
    # The SDK recommends schema v2. Grafana 11 reads only the classic schema; 12 and 13 read both.
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
