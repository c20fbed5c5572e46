"""docs/chart-values.md is generated from the schema."""

from __future__ import annotations

from monitoring.values_page import document
from tests.programs import ROOT


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "chart-values.md").read_text() == document(), "run `make docs`"


def test_a_row_has_the_type_the_default_and_the_limits() -> None:
    rows = document().splitlines()
    assert (
        "| `shards` | integer | `1` | Number of pods that share the organizations. 1 creates a"
        " Deployment. More create a StatefulSet for each shard. 1 to 64. |" in rows
    )
    assert (
        "| `organizations[].credentials.oauth.existingSecret.name` | string | required | Name of"
        " the Secret. |" in rows
    )
    assert (
        '| `log.format` | string | `"logfmt"` | Format of log lines. One of `"logfmt"`, `"json"`. |'
        in rows
    )
