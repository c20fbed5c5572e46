"""The gauge histograms, as the programs read them that scrape either format."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition import Format
from exporter.simulator import seeded_organization
from tests import virtual_time
from tests.harness import Harness
from tests.programs import eventually, free_address, program, started
from tests.prometheus.server import prometheus
from tests.prometheus.test_queries import QUERIES
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from prometheus_client import Metric as Family

DAY = 86_400
AGES = "confluent_cloud_api_keys_age_seconds"
REMAINING = "confluent_cloud_api_keys_max_age_remaining_seconds"
AGE_BOUNDS = [days * DAY for days in (1, 7, 30, 60, 90, 180, 365, 730)]
REMAINING_BOUNDS = [days * DAY for days in (0, 7, 14, 30, 60, 90)]
Samples = dict[tuple[str, str, str], float]
"""By name, kind of owner and bound."""
_PARSERS = {Format.OPENMETRICS: parse_openmetrics, Format.TEXT: parse_text}


@pytest.fixture(scope="module")
def expositions() -> dict[Format, bytes]:
    """What 200 keys look like, all of which were created before the one refresh there was."""

    async def scraped() -> dict[Format, bytes]:
        harness = Harness(200)
        await harness.exporter.refresh_once()
        exposition = harness.exporter.exposition
        return {form: exposition.scrape(form, gzip=False) for form in Format}

    return virtual_time.run(scraped())


@pytest.fixture(scope="module")
def truth() -> Samples:
    """The gauge histograms, counted key by key."""
    found: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for key in seeded_organization(seed=0, keys=200, now=EPOCH).keys.values():
        kind, age = key.owner.kind if key.owner else "internal", EPOCH - key.created_at
        values = {AGES: (age, AGE_BOUNDS)}
        if kind != "internal":  # which no policy judges
            values[REMAINING] = max(0.0, 90 * DAY - age), REMAINING_BOUNDS
        for name, (value, bounds) in values.items():
            found[f"{name}_gcount", kind, ""] += 1
            found[f"{name}_gsum", kind, ""] += value
            found[f"{name}_bucket", kind, "inf"] += 1
            for bound in bounds:
                found[f"{name}_bucket", kind, str(float(bound))] += value <= bound
    return dict(found)


def read(families: Iterable[Family]) -> Samples:
    """Return the samples of the gauge histograms, however their bounds are spelled."""
    return {
        (
            sample.name,
            sample.labels["owner_kind"],
            str(float(sample.labels["le"])) if "le" in sample.labels else "",
        ): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith((AGES, REMAINING))
    }


def with_totals(truth: Samples) -> Samples:
    """Return ``truth`` with the count and the sum that a histogram has."""
    totals = {
        (name.replace("_gcount", "_count").replace("_gsum", "_sum"), kind, bound): value
        for (name, kind, bound), value in truth.items()
        if not name.endswith("_bucket")
    }
    return truth | totals


@pytest.mark.parametrize("form", Format)
def test_the_client_library_reads_the_truth(
    form: Format, expositions: dict[Format, bytes], truth: Samples
) -> None:
    expected = with_totals(truth) if form is Format.TEXT else truth
    assert len(truth) > 50
    assert read(_PARSERS[form](expositions[form].decode())) == pytest.approx(expected)


def test_openmetrics_has_only_types_that_opentelemetry_supports(
    expositions: dict[Format, bytes],
) -> None:
    families = list(parse_openmetrics(expositions[Format.OPENMETRICS].decode()))  # type: ignore[no-untyped-call]
    assert {family.type for family in families} == {"gauge", "counter", "histogram", "info"}


@pytest.mark.integration
def test_a_real_prometheus_reads_the_truth_from_either_format(
    expositions: dict[Format, bytes], truth: Samples, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        targets = {
            form.name: stack.enter_context(offered(exposition, form))
            for form, exposition in expositions.items()
        }
        server = stack.enter_context(prometheus(targets, tmp_path))
        for form in Format:
            server.becomes(f'up{{instance="{form.name}"}}', 1)
            names = f"({AGES}|{REMAINING})_(bucket|gcount|gsum)"
            found = {
                (at["__name__"], at["owner_kind"], str(float(at["le"])) if "le" in at else ""): each
                for at, each in (
                    (sample["metric"], float(sample["value"][1]))
                    for sample in server.ask(
                        "query", {"query": f'{{__name__=~"{names}", instance="{form.name}"}}'}
                    )["result"]
                )
            }
            assert found == pytest.approx(truth)
        older = QUERIES["How many keys are older than 90 days?"]
        for form in Format:
            query = older.replace("gcount", f'gcount{{instance="{form.name}"}}').replace(
                "bucket{", f'bucket{{instance="{form.name}", '
            )
            assert server.value(query) == sum(
                value * (1 if name == f"{AGES}_gcount" else -1)
                for (name, _, bound), value in truth.items()
                if (name, bound) in {(f"{AGES}_gcount", ""), (f"{AGES}_bucket", str(90.0 * DAY))}
            )


@pytest.mark.integration
def test_the_node_exporter_passes_the_truth_on_from_a_file(
    expositions: dict[Format, bytes], truth: Samples, tmp_path: Path
) -> None:
    """It reads the file with Go's parser, and serves what that understood."""
    folder, address = tmp_path / "textfiles", free_address()
    folder.mkdir()
    (folder / "api-keys.prom").write_bytes(expositions[Format.TEXT])
    command = (
        program("prometheus-node-exporter", package="prometheus-node-exporter"),
        f"--web.listen-address={address}",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
    )
    with started(*command, log=tmp_path / "log"):
        eventually(partial(answers, address), what="the node exporter answers")
        with urlopen(f"http://{address}/metrics") as response:
            served = response.read().decode()
    assert read(parse_text(served)) == pytest.approx(with_totals(truth))
    assert "node_textfile_scrape_error 0\n" in served


def answers(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/"):
            return True
    except OSError:
        return False


@contextmanager
def offered(exposition: bytes, form: Format) -> Iterator[str]:
    """Serve ``exposition`` to every scrape while the context is open; yield host:port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library calls
            self.send_response(200)
            self.send_header("Content-Type", form.value)
            self.end_headers()
            self.wfile.write(exposition)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
