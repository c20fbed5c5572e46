from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition import Format, accepts_gzip, choose_format

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        (PROMETHEUS_2, Format.OPENMETRICS),
        (PROMETHEUS_3, Format.OPENMETRICS),
        ("text/plain", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text; version=2.0.0", Format.TEXT),
        ("application/openmetrics-text; version=2.0.0, text/plain;version=9", Format.TEXT),
        ("text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.9", Format.OPENMETRICS),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.3", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ('APPLICATION/OpenMetrics-Text; Version="1.0.0"', Format.OPENMETRICS),
        ("application/openmetrics-text;q=inf", Format.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
    ],
)
def test_the_supported_format_with_the_highest_quality_wins(accept: str, expected: Format) -> None:
    assert choose_format(accept) is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*", True),
        ("*;q=1, gzip;q=0", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=nan", False),
    ],
)
def test_only_clients_that_accept_gzip_get_it(accept_encoding: str, *, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected


@given(st.text())
def test_no_header_raises(header: str) -> None:
    assert choose_format(header) in Format
    assert accepts_gzip(header) in {True, False}
