"""The commands ``demo --keyless`` and ``simulate`` with identity pools, as processes."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.programs import EXPORTER, printed, run, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

SECRET = "simulated-secret-of-an-oauth-client"
STS = "/sts/v1/oauth2/token"


def test_the_keyless_demo_refreshes_with_a_token_file_and_lacks_a_role(tmp_path: Path) -> None:
    log = tmp_path / "log"
    flags = ("--keyless", "--keys=120", "--speed=0", "--web.listen-address=127.0.0.1:0")
    with started(*EXPORTER, "demo", *flags, log=log) as process:
        url = printed(log, r"metrics +(http://\S+)")
        path = Path(printed(log, r"token file +(\S+)\n"))
        printed(log, r"(msg=refreshed.* organization=acme)")
        printed(
            log, r'(msg="refresh failed".* organization=globex-without-role.* reason=forbidden)'
        )
        token = path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with urlopen(url) as response:  # noqa: S310 # our own http URL
            exposition = response.read().decode()
        code, _ = stop(process)

    assert code == 0
    assert not path.parent.exists()
    assert 'confluent_cloud_organization_api_keys{organization="acme"} 120.0' in exposition
    for organization, endpoint in (
        ("acme", STS),
        ("globex-without-role", STS),
        ("globex-without-role", "token_url"),
    ):
        labels = f'code="200",endpoint="{endpoint}",organization="{organization}"'
        assert f"confluent_cloud_api_requests_total{{{labels}}} 1.0" in exposition
    lines = log.read_text()
    assert "Two organizations, both without an API key." in lines
    assert max(len(line) for line in lines.split("Two organizations")[1].splitlines()[:4]) <= 80
    for secret in (token, *token.split("."), SECRET):
        assert secret not in lines
        assert secret not in exposition
    assert not re.search(r"eyJ[\w-]+\.", lines)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The output of a running simulator of 50 keys."""
    log = tmp_path_factory.mktemp("simulate") / "log"
    flags = ("--web.listen-address=127.0.0.1:0", "--keys=50", "--speed=0", "--rate-limit=none")
    with started(*EXPORTER, "simulate", *flags, log=log):
        printed(log, r"(Identity pool without a role)")
        yield log


@pytest.mark.parametrize(
    ("pool", "code", "expected"),
    [
        ("pool-exprtr", 0, 'confluent_cloud_organization_api_keys{organization="acme"} 50.0'),
        ("pool-norole", 1, "reason=forbidden"),
    ],
)
def test_the_printed_credentials_of_an_identity_pool_are_valid(
    pool: str, code: int, expected: str, simulator: Path, tmp_path: Path
) -> None:
    output = simulator.read_text()
    url = printed(simulator, r"listens on (http://\S+);")
    secret = printed(simulator, r"export CLIENT_SECRET=(\S+)\n")
    (block,) = re.findall(r"^  credentials:\n(?:    .*\n)+", output, re.MULTILINE)
    assert pool in output
    config = tmp_path / "config.yaml"
    config.write_text(
        f"organizations:\n  - name: acme\n    url: {url}\n"
        + indent(block.replace("pool-exprtr", pool), "  ")
    )

    done = run("once", f"--config.file={config}", environ={"CLIENT_SECRET": secret})

    assert done.returncode == code
    assert expected in done.stdout + done.stderr
    assert secret not in done.stdout + done.stderr
