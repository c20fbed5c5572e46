"""The web configuration of a real process: TLS, users, reload and the inventory together."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.api import ENVIRON, api
from tests.cli.web_process import PASSWORD, USER, WebProcess
from tests.programs import eventually, free_address, run, stop
from tests.prometheus.server import prometheus

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

LOADED = "web configuration loaded"
REJECTED = "the new web configuration was rejected"


def test_everything_at_once_with_a_real_prometheus_and_curl(tmp_path: Path) -> None:
    probe = free_address()
    with api(keys=25) as url:
        server = WebProcess(tmp_path, url)
        flags = (
            "--web.enable-lifecycle",
            "--web.enable-inventory",
            "--web.external-url=https://keys.example.com/exporter/",
            f"--web.probe-listen-address={probe}",
        )
        with server.running(*flags) as process:
            assert server.printed(r"msg=listening .*probes=(\S+)") == f"http://{probe}"
            eventually(
                lambda: server.curl(f"http://{probe}/-/ready", user=None).status == 200,
                what="ready on the probe address, without a user",
            )
            assert server.curl(f"http://{probe}/metrics").status == 404
            assert server.curl("/-/ready").status == 404
            assert server.curl("/metrics", user=None).status == 401
            assert server.curl("/metrics", user=f"{USER}:wrong").status == 401
            metrics = server.curl("/metrics").body
            assert 'confluent_cloud_organization_api_keys{organization="acme"} 25.0' in metrics
            page = 'confluent_cloud_keys_page_info{organization="acme",url="%s"} 1.0'
            assert page % "https://keys.example.com/exporter/keys" in metrics
            assert "confluent_cloud_exporter_web_config_last_reload_successful 1.0" in metrics
            failures = "confluent_cloud_exporter_web_authentication_failures_total"
            assert f"{failures} 1.0" in metrics

            assert server.curl("/keys.json", user=None).status == 401
            assert len(server.curl("/keys.csv").body.splitlines()) == 26
            assert server.curl("/-/reload", "-XPOST", user=None).status == 401
            assert server.logged("configuration loaded") == 0
            assert server.curl("/-/reload", "-XPOST").status == 200
            assert server.logged("configuration loaded") == 1

            scheme = (
                "scheme: https\n"
                f"tls_config: {{ca_file: '{server.authority.certificate}'}}\n"
                f"basic_auth: {{username: {USER}, password: '{PASSWORD}'}}"
            )
            with prometheus(server.address, tmp_path, scheme=scheme) as scraper:
                scraper.becomes('up{job="exporter"}', 1)
                assert scraper.value("confluent_cloud_organization_api_keys") == 25
            assert stop(process)[0] == 0
    log = server.log.read_text()
    assert "Traceback" not in log
    assert PASSWORD not in log


def test_a_certificate_is_renewed_between_two_requests_of_one_connection(tmp_path: Path) -> None:
    server = WebProcess(tmp_path)
    with server.running() as process:
        kept = server.connection()
        kept.request("GET", "/-/healthy")
        assert kept.getresponse().read() == b"Healthy.\n"
        before = server.certificate()

        server.authority.issue("127.0.0.1", file="next")
        (tmp_path / "next.crt").replace(tmp_path / "server.crt")  # half of a renewal
        assert server.certificate() == before
        kept.request("GET", "/-/healthy")
        assert kept.getresponse().read() == b"Healthy.\n"
        (tmp_path / "next.key").replace(tmp_path / "server.key")
        after = server.certificate()
        assert after != before
        kept.request("GET", "/-/healthy")
        assert kept.getresponse().read() == b"Healthy.\n"
        kept.close()
        assert stop(process)[0] == 0
    assert server.logged(REJECTED) == 1
    assert server.logged(LOADED) == 2


def test_a_broken_web_configuration_keeps_the_previous_one_until_a_good_one(
    tmp_path: Path,
) -> None:
    server = WebProcess(tmp_path)
    successful = "confluent_cloud_exporter_web_config_last_reload_successful"
    with server.running("--web.enable-lifecycle") as process:
        server.replace_web_config("basic_auth_user: {}\nrate_limits: {}\n")
        for _ in range(2):
            assert f"{successful} 0.0" in server.curl("/metrics").body
        assert server.curl("/metrics", user=None).status == 401
        assert server.logged(REJECTED) == 2  # one line for each problem
        server.configure("globex")
        answer = server.curl("/-/reload", "-XPOST")
        assert answer.status == 500
        assert [line.split(": ")[0] for line in answer.body.splitlines()] == [
            f"{server.web_config}:1",
            f"{server.web_config}:2",
        ]
        # The other file had no problem and is in use.
        assert 'organization="globex"' in server.curl("/metrics").body

        server.write_web_config({"other": "another password"})
        assert server.curl("/metrics").status == 401
        answer = server.curl("/metrics", user="other:another password")
        assert f"{successful} 1.0" in answer.body
        assert process.poll() is None
        assert stop(process)[0] == 0


def test_a_signal_and_changes_of_all_files_at_once_are_one_reload(tmp_path: Path) -> None:
    server = WebProcess(tmp_path)
    with server.running("--web.enable-lifecycle") as process:
        assert server.logged(LOADED) == 1
        server.configure("globex")
        server.write_web_config({USER: PASSWORD, "other": "another password"})
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
        assert server.curl("/-/reload", "-XPOST", user="other:another password").status == 200
        assert 'organization="globex"' in server.curl("/metrics").body
        assert stop(process)[0] == 0
    assert server.logged("configuration loaded") == 1
    assert server.logged(LOADED) == 2


@pytest.mark.parametrize("flags", [(), ("--config.check",)])
def test_the_problems_of_both_files_are_printed_together(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    server = WebProcess(tmp_path)
    server.config.write_text("organizations: [{nam: acme, name: acme}]\n")
    server.replace_web_config("tls_server_config: {cert_file: nothing.crt}\nusers: {}\n")
    done = run(*server.flags, "--web.listen-address=127.0.0.1:0", *flags, environ=ENVIRON)
    assert done.returncode == 1
    assert set(re.findall(r"\S+\.yaml:\d+(?=: )", done.stderr)) == {
        f"{server.config}:1",
        f"{server.web_config}:1",
        f"{server.web_config}:2",
    }
    assert "msg=listening" not in done.stderr


def test_config_check_describes_the_web_configuration(tmp_path: Path) -> None:
    server = WebProcess(tmp_path)
    server.write_web_config({"a": "1", "b": "2"})
    done = run(*server.flags, "--config.check", environ=ENVIRON)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{server.config}: valid, 1 organization\n{server.web_config}: valid, TLS, 2 users\n"
    )


@pytest.mark.parametrize("tls", [True, False])
def test_an_inventory_that_everyone_could_see_is_refused(tmp_path: Path, *, tls: bool) -> None:
    server = WebProcess(tmp_path)
    pair = "{cert_file: server.crt, key_file: server.key}"
    server.replace_web_config(f"tls_server_config: {pair}\n" if tls else "")
    flags = ("--web.listen-address=:0", "--web.enable-inventory")  # it ends before it listens
    done = run(*server.flags, *flags, environ=ENVIRON)
    assert done.returncode == 1
    assert "--web.enable-inventory would show the API keys to everyone who can reach" in done.stderr
    assert " of every address. Configure basic_auth_users" in done.stderr


def test_authentication_cannot_be_removed_under_the_inventory(tmp_path: Path) -> None:
    server = WebProcess(tmp_path)
    with server.running("--web.enable-inventory", "--web.enable-lifecycle"):
        server.write_web_config({})
        answer = server.curl("/-/reload", "-XPOST")
        assert answer.status == 500
        assert "does not authenticate clients, but `--web.enable-inventory`" in answer.body
        assert server.curl("/keys", user=None).status == 401
