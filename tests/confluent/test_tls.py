"""Which certificates of the API are accepted, from the TLS handshake to what the operator reads."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.app import Exporter
from exporter.config import Tls
from exporter.confluent.trust import TrustStore
from exporter.errors import StartUpError
from tests.certificates import authority
from tests.harness import Harness, configuration
from tests.sockets import ConnectProxy, SocketServer, asking

if TYPE_CHECKING:
    from pathlib import Path

    from tests.certificates import Authority

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _usual_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("other"), "other")


@pytest.fixture(scope="module")
def lax(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("lax"), "lax", basic_constraints_critical=False)


async def refreshed(harness: Harness) -> str | None:
    """Refresh once; return why that failed, None if it did not."""
    await harness.exporter.refresh_once()
    failure = harness.state.refreshes["api_keys"].failure
    return None if failure is None else f"{failure.reason}: {failure.message}"


async def asked_with(settings: str, server: Authority, *, host: str = "127.0.0.1") -> str | None:
    harness = Harness(3)
    tls = server.server_context()
    upstream = SocketServer(harness.simulator.transport())
    async with asking(harness, upstream, settings, tls=tls, host=host):
        failure = await refreshed(harness)
    assert (failure is None) == (harness.value("confluent_cloud_organization_api_keys") == 3)
    return failure


async def test_the_ca_of_the_setting_is_trusted(ours: Authority) -> None:
    assert await asked_with(f"tls: {{ca_file: {ours.certificate}}}", ours) is None


async def test_the_ca_of_the_setting_is_trusted_instead_of_those_of_the_environment(
    ours: Authority, other: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(other.certificate))
    assert await asked_with(f"tls: {{ca_file: {ours.certificate}}}", ours) is None
    failure = await asked_with(f"tls: {{ca_file: {ours.certificate}}}", other)
    assert failure == (
        "tls: GET /iam/v2/api-keys: TLS: the certificate's CA is not trusted (unable to get local"
        " issuer certificate). If you trust it, add its certificate to `tls.ca_file`"
    )


async def test_the_failure_for_a_private_ca_names_the_setting(ours: Authority) -> None:
    failure = await asked_with("", ours)
    assert failure is not None
    assert failure.endswith("If you trust it, name it in `tls.ca_file`")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_the_cas_of_the_environment_are_trusted(
    ours: Authority,
    other: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    (tmp_path / f"{ours.subject_hash()}.0").write_text(ours.text())
    place = tmp_path if variable == "SSL_CERT_DIR" else ours.certificate
    monkeypatch.setenv(variable, str(place))
    assert await asked_with("", ours) is None
    failure = await asked_with("", other)
    assert failure is not None
    assert failure.endswith(f"If you trust it, add its certificate to `{variable}`")


async def test_a_ca_that_breaks_rfc_5280_is_trusted_only_if_not_strict(lax: Authority) -> None:
    failure = await asked_with(f"tls: {{ca_file: {lax.certificate}}}", lax)
    assert failure == (
        "tls: GET /iam/v2/api-keys: TLS: a certificate breaks RFC 5280 (Basic Constraints of CA"
        " cert not marked critical). Have it reissued, or set `tls.strict` to false"
    )
    assert await asked_with(f"tls: {{ca_file: {lax.certificate}, strict: false}}", lax) is None


async def test_a_certificate_for_another_host(ours: Authority) -> None:
    failure = await asked_with(f"tls: {{ca_file: {ours.certificate}}}", ours, host="127.1")
    assert failure is not None
    assert "TLS: the certificate is for another host (" in failure
    assert failure.endswith("). Check `url` and proxies")


async def test_the_next_refresh_applies_a_changed_file(
    ours: Authority, other: Authority, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(other.text())
    harness = Harness(3)
    upstream = SocketServer(harness.simulator.transport())
    settings = f"tls: {{ca_file: {bundle}}}"
    async with asking(harness, upstream, settings, tls=ours.server_context()):
        assert await refreshed(harness) is not None
        bundle.write_text(other.text() + ours.text())
        assert await refreshed(harness) is None
        # The kept connection was made with trust that has been withdrawn since.
        bundle.write_text(other.text())
        assert await refreshed(harness) is not None


@pytest.mark.parametrize("broken", ["cut off", "empty", "gone"])
async def test_while_a_file_is_unreadable_the_previous_certificates_stay_in_use(
    ours: Authority, other: Authority, tmp_path: Path, broken: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(ours.text())
    harness = Harness(3)
    upstream = SocketServer(harness.simulator.transport())
    settings = f"tls: {{ca_file: {bundle}}}"
    async with asking(harness, upstream, settings, tls=ours.server_context()):
        assert await refreshed(harness) is None
        if broken == "gone":
            bundle.unlink()
        else:
            bundle.write_text(other.text()[:200] if broken == "cut off" else "")
        with capture_logs() as logs:
            assert await refreshed(harness) is None
            assert await refreshed(harness) is None
        errors = [entry for entry in logs if entry["log_level"] == "error"]
        assert [(entry["event"], entry["setting"]) for entry in errors] == [
            ("CA certificates cannot be read; the previous ones stay in use", "tls.ca_file")
        ]
        assert str(bundle) in errors[0]["error"]
        bundle.write_text(other.text())
        assert await refreshed(harness) is not None


async def test_a_changed_directory_of_certificates_is_read_again(
    ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    certificate = tmp_path / f"{ours.subject_hash()}.0"
    certificate.write_text(ours.text())
    harness = Harness(3)
    upstream = SocketServer(harness.simulator.transport())
    async with asking(harness, upstream, tls=ours.server_context()):
        assert await refreshed(harness) is None
        certificate.unlink()
        assert await refreshed(harness) is not None


async def test_certificates_are_read_again_although_the_file_has_the_same_size_and_time(
    ours: Authority, other: Authority, tmp_path: Path
) -> None:
    bundle, size = tmp_path / "bundle.pem", 4096
    bundle.write_text(ours.text().ljust(size))
    before = bundle.stat()
    harness = Harness(3)
    upstream = SocketServer(harness.simulator.transport())
    settings = f"tls: {{ca_file: {bundle}}}"
    async with asking(harness, upstream, settings, tls=ours.server_context()):
        assert await refreshed(harness) is None
        bundle.write_text(other.text().ljust(size))
        os.utime(bundle, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert await refreshed(harness) is not None


def test_organizations_with_the_same_settings_share_a_context(ours: Authority) -> None:
    store = TrustStore({})
    trusts = [
        store.of(Tls.model_construct(ca_file=path, strict=strict))
        for path, strict in [
            (None, True),
            (None, True),
            (None, False),
            (ours.certificate, True),
            (ours.certificate, True),
        ]
    ]
    assert [trusts.index(trust) for trust in trusts] == [0, 0, 2, 3, 3]


async def test_each_organization_trusts_its_own_ca(ours: Authority, other: Authority) -> None:
    harness = Harness(3, names=("acme", "globex"))
    upstream = SocketServer(harness.simulator.transport())
    tls = ours.server_context()
    async with await asyncio.start_server(upstream, "127.0.0.1", 0, ssl=tls) as listening:
        loaded = configuration(
            url=f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}",
            names=("acme", "globex"),
            environ=harness.environ,
        )
        organizations = [
            each.model_copy(
                update={"tls": Tls.model_construct(ca_file=ca.certificate, strict=True)}
            )
            for each, ca in zip(loaded.organizations, (other, ours), strict=True)
        ]
        loaded = replace(loaded, organizations=tuple(organizations))
        exporter = Exporter(loaded, clock=harness.clock, process_metrics=False)
        await exporter.refresh_once()
        failures = [state.refreshes["api_keys"].failure for state in exporter.states()]
        await exporter.aclose()
    assert [failure and failure.reason for failure in failures] == ["tls", None]


async def test_a_proxy_gets_a_new_tunnel_after_each_failed_handshake(
    ours: Authority, other: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, proxy = Harness(3), ConnectProxy()
    upstream = SocketServer(harness.simulator.transport())
    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        settings = f"tls: {{ca_file: {other.certificate}}}"
        async with asking(harness, upstream, settings, tls=ours.server_context()):
            for tunnels in (1, 2, 3):
                began = harness.clock.monotonic()
                assert (await refreshed(harness) or "").startswith("tls: ")
                assert proxy.tunnels == tunnels
                assert harness.clock.monotonic() - began < 5


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SSL_CERT_FILE": "{folder}/none.pem"}, "`SSL_CERT_FILE`: the file {folder}/none.pem "),
        ({"SSL_CERT_DIR": "{folder}/none"}, "`SSL_CERT_DIR`: the directory does not exist"),
    ],
)
def test_certificates_that_cannot_be_read_at_start_are_an_error(
    tmp_path: Path, environ: dict[str, str], message: str
) -> None:
    given = {name: value.format(folder=tmp_path) for name, value in environ.items()}
    with pytest.raises(StartUpError) as failure:
        TrustStore(given).of(Tls())
    assert str(failure.value).startswith(message.format(folder=tmp_path))


def test_a_directory_of_certificates_that_disappears_leaves_the_previous_ones_in_use(
    ours: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / f"{ours.subject_hash()}.0").write_text(ours.text())
    trust = TrustStore({"SSL_CERT_DIR": str(folder)}).of(Tls())
    before = trust.context
    folder.rename(tmp_path / "elsewhere")
    with capture_logs() as logs:
        trust.renew()
        trust.renew()
    assert trust.context is before
    assert [entry["error"] for entry in logs] == ["the directory does not exist"]


def test_the_certificates_of_certifi_are_loaded_again_without_a_log_line() -> None:
    trust = TrustStore({}).of(Tls())
    before = trust.context
    with capture_logs() as logs:
        trust.renew(even_if_unchanged=True)
    assert trust.context is not before
    assert logs == []
