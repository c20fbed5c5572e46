"""API keys as rows: selection, sorting, and output as CSV and JSON.

Pure functions, shared by the command ``report`` and the page ``/keys``.
"""

from exporter.report.formats import CSV_COLUMNS, as_csv, as_json, csv_chunks, json_chunks
from exporter.report.latest_listing import LatestListing
from exporter.report.rows import (
    ListedKey,
    OrganizationKeys,
    ReportedResource,
    Row,
    build_rows,
    iso8601,
)
from exporter.report.selection import Selection, literal, matcher, violating
from exporter.report.sorting import SORT_FIELDS, SelectedKeys, Sorting

__all__ = [
    "CSV_COLUMNS",
    "SORT_FIELDS",
    "LatestListing",
    "ListedKey",
    "OrganizationKeys",
    "ReportedResource",
    "Row",
    "SelectedKeys",
    "Selection",
    "Sorting",
    "as_csv",
    "as_json",
    "build_rows",
    "csv_chunks",
    "iso8601",
    "json_chunks",
    "literal",
    "matcher",
    "violating",
]
