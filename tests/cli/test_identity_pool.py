"""What people and Prometheus see of an organization that uses an identity pool, end to end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter import config
from exporter.app import Exporter
from exporter.cli.describing import describe
from exporter.exposition import Format
from exporter.simulator import IDENTITY_PROVIDER_PATH, SimulatedRateLimit
from tests.harness import URL
from tests.simulator.tokens import CLIENT, SUBJECT, Keyless
from tests.virtual_time import EPOCH

if TYPE_CHECKING:
    from pathlib import Path

_EXPIRY = "confluent_cloud_exporter_token_expiry_timestamp_seconds"
_BY_FILE = "identity_pool: pool-1, token_file: token"
_BY_CLIENT = (
    "identity_pool: pool-2,"
    f" oauth: {{token_url: '{URL}{IDENTITY_PROVIDER_PATH}', client_id: {CLIENT},"
    " client_secret_env: SECRET}"
)
_BY_KEY = "api_key_env: KEY, api_secret_env: SECRET"


@dataclass
class _Scene:
    keyless: Keyless
    exporter: Exporter
    environ: dict[str, str]

    def series(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        text = self.exporter.exposition.scrape(Format.TEXT, gzip=False).decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def expiry(self) -> float | None:
        return self.series().get((_EXPIRY, frozenset({("organization", "acme")})))

    def checked(self) -> list[str]:
        """Return the first two lines of ``check``."""
        ((organization, _),) = self.exporter.hosts()
        (state,) = self.exporter.states()
        return list(describe(organization, state, self.exporter.summaries(state)))[:2]


def scene(folder: Path, credentials: str) -> _Scene:
    keyless = Keyless(rate_limit=SimulatedRateLimit(1000, 60))
    (folder / "token").write_text(keyless.provider.token(subject=SUBJECT))
    keyless.provider.clients[CLIENT] = keyless.account.api_secret = "secret"
    environ = {"SECRET": "secret", "KEY": keyless.account.api_key}
    loaded = config.parse(
        f"organizations: [{{name: acme, url: '{URL}', credentials: {{{credentials}}}}}]",
        file="test",
        folder=folder,
        environ=environ,
    )
    exporter = Exporter(
        loaded,
        clock=keyless.clock,
        random=Random(0),
        transport=lambda _: keyless.simulator.transport(),
        process_metrics=False,
    )
    return _Scene(keyless, exporter, environ)


@pytest.mark.parametrize(
    ("credentials", "pool"), [(_BY_FILE, "pool-1"), (_BY_CLIENT, "pool-2")], ids=["file", "client"]
)
async def test_the_expiry_of_the_current_token_is_shown(
    tmp_path: Path, credentials: str, pool: str
) -> None:
    one = scene(tmp_path, credentials)
    assert one.expiry() is None
    for began in (EPOCH, EPOCH + 1000):
        await one.exporter.refresh_once()
        assert one.expiry() == began + 900
        seen, shown = one.checked()
        assert seen.startswith("acme: ok: 3 keys of ")
        at = {EPOCH: "14:28:20", EPOCH + 1000: "14:45:00"}[began]
        assert shown == f"  pool:        {pool}, token valid until 2026-09-21 {at} UTC"
        await one.keyless.clock.sleep(1000)


async def test_an_api_key_has_no_expiry(tmp_path: Path) -> None:
    one = scene(tmp_path, _BY_KEY)
    await one.exporter.refresh_once()
    assert one.expiry() is None
    assert "; own key not seen. The role may hide keys." in one.checked()[0]


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (_BY_FILE, "token_unreadable"),
        (_BY_FILE, "token_refused"),
        (_BY_CLIENT, "identity_provider"),
        (_BY_CLIENT, "credentials"),
    ],
)
async def test_each_failure_has_its_reason_and_keeps_the_expiry_of_the_latest_token(
    tmp_path: Path, credentials: str, reason: str
) -> None:
    one = scene(tmp_path, credentials)
    await one.exporter.refresh_once()
    match reason:
        case "token_unreadable":
            (tmp_path / "token").unlink()
        case "token_refused":
            (tmp_path / "token").write_text(one.keyless.provider.token(subject="another"))
        case "identity_provider":
            one.keyless.provider.clients[CLIENT] = "rotated"
        case "credentials":
            one.environ.pop("SECRET")
    await one.keyless.clock.sleep(4000)
    await one.exporter.refresh_once()
    failed, _ = one.checked()
    assert failed.startswith(f"acme: failed ({reason}): ")
    failing = {
        dict(labels)["collector"]: dict(labels)["reason"]
        for name, labels in one.series()
        if name == "confluent_cloud_exporter_refresh_failing"
    }
    assert failing == dict.fromkeys(("api_keys", "names", "quotas"), reason)
    assert one.expiry() == EPOCH + 900


async def test_an_identity_pool_costs_at_most_the_series_in_the_readme(tmp_path: Path) -> None:
    counts = []
    for credentials in (_BY_KEY, _BY_CLIENT):
        one = scene(tmp_path, credentials)
        await one.exporter.refresh_once()
        counts.append(len(one.series()))
    assert 75 < counts[1] - counts[0] <= 100
