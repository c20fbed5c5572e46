from __future__ import annotations

from itertools import product

import httpx
from prometheus_client.parser import text_string_to_metric_families

from exporter.errors import REQUEST_FAILURE_REASONS
from exporter.exposition import Format, Instruments
from exporter.inventory import OWNER_KINDS, RESOURCE_KINDS
from tests.harness import API_KEYS, Harness, configuration
from tests.virtual_time import EPOCH, FakeClock


async def test_every_counter_is_at_0_before_its_first_event() -> None:
    harness = Harness(5)
    counters = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(harness.exposition())
        if family.type in {"counter", "histogram"}
        for sample in family.samples
    }
    assert set(counters.values()) == {0}
    acme, path = ("organization", "acme"), ("endpoint", API_KEYS)
    for reason in REQUEST_FAILURE_REASONS:
        labels = (path, acme, ("reason", reason))
        assert ("confluent_cloud_api_request_failures_total", labels) in counters
    for reason in (*REQUEST_FAILURE_REASONS, "credentials", "internal"):
        labels = (("collector", "api_keys"), acme, ("reason", reason))
        assert ("confluent_cloud_exporter_refresh_failures_total", labels) in counters
    for reason in ("reserve", "retry_after", "backoff"):
        assert (
            "confluent_cloud_api_throttled_seconds_total",
            (acme, ("reason", reason)),
        ) in counters
    for owner_kind, resource_kind in product(OWNER_KINDS, (*RESOURCE_KINDS, "unknown")):
        kinds = (
            ("exempt", "false"),
            acme,
            ("owner_kind", owner_kind),
            ("resource_kind", resource_kind),
        )
        for event in ("created", "deleted"):
            assert (f"confluent_cloud_api_keys_{event}_total", kinds) in counters


async def test_every_counter_of_an_organization_added_by_a_reload_is_at_0() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    more = configuration(
        "names: {enabled: true}", names=("acme", "globex"), environ=harness.environ
    )
    await harness.exporter.reload(more)
    await harness.exporter.aclose()
    counters = {
        (name, labels): value
        for (name, labels), value in harness.series().items()
        if name.endswith("_total") and ("organization", "globex") in labels
    }
    assert set(counters.values()) == {0}
    whole = Harness(5, settings="names: {enabled: true}", names=("globex",))
    expected = {
        (name, labels) for name, labels in whole.series() if labels and name.endswith("_total")
    }
    assert counters.keys() == expected


def test_request_failure_reasons_are_the_documented_ones() -> None:
    assert set(REQUEST_FAILURE_REASONS) == {
        "rate_limited",
        "unauthorized",
        "forbidden",
        "bad_request",
        "not_found",
        "server_error",
        "timeout",
        "connection",
        "tls",
        "invalid_response",
        "pagination",
    }


async def test_both_formats_end_correctly_and_have_no_created_series() -> None:
    harness = Harness(5)
    await harness.exporter.refresh_once()
    text = harness.exporter.exposition.scrape(Format.TEXT, gzip=False)
    openmetrics = harness.exporter.exposition.scrape(Format.OPENMETRICS, gzip=False)
    assert openmetrics.endswith(b"\n# EOF\n")
    assert openmetrics.count(b"# EOF") == 1
    assert b"# EOF" not in text
    for line in (text + openmetrics).decode().splitlines():
        assert not line.partition("{")[0].endswith("_created")


async def test_process_metrics_are_optional() -> None:
    def names(*, process: bool) -> str:
        return Instruments(clock=FakeClock(), process=process).process(Format.TEXT).decode()

    assert "\nprocess_resident_memory_bytes " in names(process=True)
    assert "\npython_info{" in names(process=True)
    assert "process_" not in names(process=False)
    assert "\npython_info{" not in names(process=False)


async def test_a_failed_reload_keeps_the_time_of_the_last_successful_one() -> None:
    clock = FakeClock()
    instruments = Instruments(clock=clock, process=False)
    instruments.config_loaded(successful=True)
    good = instruments.process(Format.TEXT).decode().splitlines()
    assert "confluent_cloud_exporter_config_last_reload_successful 1.0" in good
    await clock.sleep(100)
    instruments.config_loaded(successful=False)
    lines = instruments.process(Format.TEXT).decode().splitlines()
    assert "confluent_cloud_exporter_config_last_reload_successful 0.0" in lines
    (timestamp,) = [
        float(line.split()[1])
        for line in lines
        if line.startswith("confluent_cloud_exporter_config_last_reload_success_timestamp_seconds ")
    ]
    assert timestamp == EPOCH


def requests_by_code(harness: Harness) -> dict[str, float]:
    return {
        dict(labels)["code"]: value
        for (name, labels), value in harness.series().items()
        if name == "confluent_cloud_api_requests_total"
    }


async def test_codes_of_the_api_or_a_gateway_are_exposed_as_0_before_their_first_response() -> None:
    harness = Harness(5)
    codes = "none 200 307 308 400 401 403 404 408 429 500 502 503 504"
    before = requests_by_code(harness)
    assert before == dict.fromkeys(codes.split(), 0)
    harness.simulator.script(1, "html502")
    await harness.exporter.refresh_once()
    assert requests_by_code(harness) == before | {"200": 1, "502": 1}


async def test_any_other_code_is_counted_from_its_first_response() -> None:
    harness = Harness(5)
    harness.wire = Answering(418)
    harness.configured()
    assert "418" not in requests_by_code(harness)
    failures = {"endpoint": API_KEYS, "reason": "bad_request"}
    assert harness.value("confluent_cloud_api_request_failures_total", **failures) == 0
    await harness.exporter.refresh_once()
    assert requests_by_code(harness)["418"] == 1
    assert harness.value("confluent_cloud_api_request_failures_total", **failures) == 1


class Answering(httpx.AsyncBaseTransport):
    """Answers every request with ``status``."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self._status, request=request)
