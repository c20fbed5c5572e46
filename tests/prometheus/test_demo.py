"""The demo, scraped by a real Prometheus."""

from __future__ import annotations

import csv
import re
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from exporter.exposition import Format
from tests.programs import EXPORTER, printed, program, started, stop
from tests.prometheus.server import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("demo"),  # one server for all of them
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a demo of 1200 keys that stay as they are."""
    log = tmp_path_factory.mktemp("demo") / "log"
    command = (*EXPORTER, "demo", "--web.listen-address=127.0.0.1:0", "--speed=0")
    with started(*command, log=log) as process:
        url = printed(log, r"status page +(http://\S+)/\n")
        assert printed(log, r"API keys +(\S+)\n") == f"{url}/keys"
        printed(log, r"(msg=refreshed)")
        printed(log, r'(msg="refresh failed")')
        printed(log, r"(msg=refreshed organization=acme collector=usage)")
        yield url
        code, seconds = stop(process)
        assert code == 0
        assert seconds < 2
        assert "Traceback" not in log.read_text()


def test_a_real_prometheus_reads_true_counts(demo: str, tmp_path: Path) -> None:
    with prometheus(demo.removeprefix("http://"), tmp_path) as server:
        server.becomes('up{job="exporter"}', 1)
        server.becomes('confluent_cloud_up{organization="acme",collector="api_keys"}', 1)
        server.becomes(
            'confluent_cloud_up{organization="globex-without-role",collector="api_keys"}', 0
        )
        total = 'confluent_cloud_organization_api_keys{organization="acme"}'
        assert server.value(total) == 1200
        assert server.value(f"sum(confluent_cloud_owner_api_keys) == scalar({total})") == 1200
        pairs = 'sum(confluent_cloud_api_keys{organization="acme"})'
        resources = 'sum(confluent_cloud_resource_api_keys{organization="acme"})'
        assert server.value(f"{pairs} == {resources}") == server.value(pairs)
        assert (server.value(pairs) or 0) >= 1200
        poor = 'count({organization="globex-without-role",__name__=~".+_api_keys"})'
        assert server.value(poor) is None


def test_the_demo_lists_its_keys_on_the_page_that_it_prints(
    demo: str,
) -> None:
    with urlopen(f"{demo}/keys.csv?organization=acme") as response:  # noqa: S310 # our own http URL
        assert len(response.read().decode().splitlines()) == 1201
    with urlopen(f"{demo}/metrics") as response:  # noqa: S310 # as above
        assert f'url="{demo}/keys"' in response.read().decode()


@pytest.mark.parametrize("team", ["payments", "analytics", "platform"])
def test_the_demo_has_a_team_with_unused_keys(demo: str, team: str) -> None:
    with urlopen(f"{demo}/keys.csv?organization=acme&team={team}") as response:  # noqa: S310 # our own http URL
        keys = list(csv.DictReader(response.read().decode().splitlines()))
    assert {each["team"] for each in keys} == {team}
    unused = ["unused_for" in each["policies"].split("|") for each in keys]
    assert 0 < sum(unused) < len(unused) / 3


def test_the_demo_knows_who_was_active(demo: str) -> None:
    with urlopen(f"{demo}/") as response:  # noqa: S310 # our own http URL
        page = response.read().decode()
    assert re.search(r">Activity<.*?>known for 6 d 2[23] h", page, re.DOTALL)
    with urlopen(f"{demo}/metrics") as response:  # noqa: S310 # as above
        exposition = response.read().decode()
    active = re.findall(r"^confluent_cloud_owner_last_active_\S+ (\S+)$", exposition, re.MULTILINE)
    day = 86_400
    assert 0 <= time.time() - max(map(float, active)) + 3600 < day
    assert time.time() - min(map(float, active)) > 3 * day


@pytest.mark.parametrize("form", Format)
def test_promtool_finds_nothing_to_say(demo: str, form: Format) -> None:
    request = Request(f"{demo}/metrics", headers={"Accept": form.value.replace("; ", ";")})  # noqa: S310 # our own http URL
    with urlopen(request) as response:  # noqa: S310 # as above
        assert response.headers["content-type"] == form.value
        exposition = response.read()
    if form is Format.OPENMETRICS:  # promtool reads only the other format: what they share
        exposition = as_text_format(exposition)
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=exposition,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def as_text_format(openmetrics: bytes) -> bytes:
    """Return the exposition with the headers that 0.0.4 writes for counters and infos."""
    text = openmetrics.decode()
    for name in re.findall(r"^# TYPE (\S+) counter$", text, re.MULTILINE):
        text = re.sub(rf"^# (HELP|TYPE) {name} ", rf"# \1 {name}_total ", text, flags=re.MULTILINE)
    for name in re.findall(r"^# TYPE (\S+) info$", text, re.MULTILINE):
        text = text.replace(f"# HELP {name} ", f"# HELP {name}_info ")
        text = text.replace(f"# TYPE {name} info", f"# TYPE {name}_info gauge")
    text = re.sub(r"^# UNIT .*\n", "", text, flags=re.MULTILINE)
    # There, only a histogram may have buckets.
    for name in re.findall(r"^# TYPE (\S+)_bucket gauge$", text, re.MULTILINE):
        text = text.replace(f"# HELP {name}_bucket ", f"# HELP {name} ")
        text = text.replace(f"# TYPE {name}_bucket gauge", f"# TYPE {name} histogram")
    return text.removesuffix("# EOF\n").encode()
