"""A Confluent Cloud, its exporter, and a real Prometheus with our rules in a hurry."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import yaml

from exporter.clock import SystemClock
from exporter.simulator import Simulator
from tests.programs import EXPORTER, printed, served, started
from tests.prometheus.rule_files import FILES, in_a_hurry
from tests.prometheus.server import Prometheus, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.simulator import Account
    from tests.prometheus.alertmanager import Alertmanager

EXTERNAL_URL = "https://keys.team.example/exporter"


@contextmanager
def monitored(
    account: Account, receiver: Alertmanager, folder: Path, *, settings: str
) -> Iterator[Prometheus]:
    """Run all of it for the organization `acme`; yield the Prometheus, which alerts ``receiver``.

    Names of owners are known before the first scrape. In ``settings``, the rest of the
    configuration, ``{url}`` is that of the API.
    """
    rules = [folder / each.name for each in FILES]
    for rushed, each in zip(rules, FILES, strict=True):
        rushed.write_text(in_a_hurry(each.read_text()))
    config, log = folder / "config.yaml", folder / "log"
    with ExitStack() as stack:
        url = stack.enter_context(served(Simulator([account], clock=SystemClock())))
        config.write_text(
            f"defaults: {{url: {url}, refresh_interval: 1s}}\n"
            "organizations:\n"
            "  - name: acme\n"
            f"    credentials: {{api_key: {account.api_key}, api_secret_env: SECRET}}\n"
            + settings.replace("{url}", url)
        )
        command = (
            *EXPORTER,
            f"--config.file={config}",
            "--web.listen-address=127.0.0.1:0",
            "--web.enable-inventory",
            f"--web.external-url={EXTERNAL_URL}",
        )
        stack.enter_context(started(*command, log=log, environ={"SECRET": account.api_secret}))
        target = printed(log, r"urls=http://(\S+)")
        printed(log, r"(msg=refreshed organization=acme collector=names)")
        more = {
            "rule_files": [*map(str, rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [receiver.address]}]}]},
        }
        yield stack.enter_context(
            prometheus(
                {"exporter:10049": target},
                folder,
                job="confluent-api-keys",
                more=yaml.safe_dump(more),
            )
        )
