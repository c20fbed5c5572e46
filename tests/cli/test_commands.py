from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.version import __version__
from tests import programs
from tests.programs import EXPORTER, ROOT, printed, run, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

KEY, SECRET = "SIMULATEDADMIN01", "simulated-secret-of-an-organization-admin"
POOR_KEY, POOR_SECRET = "SIMULATEDNOROLE1", "simulated-secret-of-somebody-without-a-role"
ENVIRON = {
    "CONFLUENT_CLOUD_API_KEY": KEY,
    "CONFLUENT_CLOUD_API_SECRET": SECRET,
    "POOR_KEY": POOR_KEY,
    "POOR_SECRET": POOR_SECRET,
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a simulated API with 321 keys that stay as they are."""
    log = tmp_path_factory.mktemp("simulate") / "log"
    flags = ("--web.listen-address=127.0.0.1:0", "--keys=321", "--speed=0", "--rate-limit=none")
    command = (*EXPORTER, "simulate", *flags)
    with started(*command, log=log):
        yield printed(log, r"listens on (http://\S+);")


@pytest.fixture
def good(tmp_path: Path, api: str) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(f"organizations:\n  - {{name: acme, url: {api}}}\n")
    return path


@pytest.fixture
def mixed(tmp_path: Path, api: str) -> Path:
    path = tmp_path / "mixed.yaml"
    path.write_text(
        f"defaults: {{url: {api}}}\n"
        "organizations:\n"
        "  - name: acme\n"
        "  - name: poor\n"
        "    credentials: {api_key_env: POOR_KEY, api_secret_env: POOR_SECRET}\n"
    )
    return path


def total(exposition: str) -> dict[str, float]:
    return {
        sample.labels["organization"]: sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == "confluent_cloud_organization_api_keys"
    }


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"confluent-api-keys-exporter {__version__}\n")
    assert run("run", "--version").stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag\n"),
        (["--config.fil=x"], ": --config.fil=x; did you mean --config.file?"),
        (["-config.fil=x"], ": -config.fil=x; did you mean --config.file?"),
        (["--log-level=debug"], "; did you mean --log.level?"),
        (["demo", "--listen-address=:1"], "; did you mean --web.listen-address?"),
        (["--output=x"], ": --output=x; --output is a flag of once"),
        (["check", "extra"], "unrecognized arguments: extra\n"),
        (["--config.file=x", "check"], ": check; write the command before its flags: check …"),
        (["chek"], "unknown command 'chek'; did you mean check?"),
        (["help", "chek"], "unknown command 'chek'; did you mean check?"),
        (["check", "--timeout=0s"], "'0s' is too short; expected at least `1ms`"),
        (["bogus"], "unknown command 'bogus'. Expected one of run, demo, "),
        (["--web.listen-address=9100"], "'9100' is not an address like :10049"),
        (["--web.telemetry-path=metrics"], "'metrics' is not a path such as /metrics"),
        (["--log.level=loud"], "invalid choice: 'loud'"),
        (["simulate", "--fault=nonsense"], "nonsense"),
        (["simulate", "--rate-limit=fast"], "'fast' is not a rate limit"),
        (["simulate", "--rotation=vault"], "'vault' is not one of: secrets-manager, leases"),
        (["simulate", "--keys=-1"], "-1 is not between 0 and 1000000"),
        (["simulate", "--owners=0"], "0 is not between 1 and 1000000"),
        (["demo", "--nope"], "Try: confluent-api-keys-exporter demo --help"),
        (["demo", "--keys=many"], "'many' is not a number"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_message(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Try: confluent-api-keys-exporter" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (["-V"], ["--version"]),
        (["check", "-V"], ["--version"]),
        (["help"], ["--help"]),
        (["help", "simulate"], ["simulate", "--help"]),
        (["simulate", "-help"], ["simulate", "--help"]),
    ],
)
def test_other_spellings_print_the_same(arguments: list[str], same: list[str]) -> None:
    done, expected = run(*arguments), run(*same)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected.stdout != ""


def test_flags_in_the_style_of_go(good: Path) -> None:
    done = run("-config.check", f"-config.file={good}", "-log.level", "warning", environ=ENVIRON)
    assert (done.returncode, done.stdout) == (0, f"{good}: valid, 1 organization\n")


@pytest.mark.parametrize("flag", ["--web.listen-address", "--listen-address"])
def test_where_the_simulator_listens(tmp_path: Path, flag: str) -> None:
    log = tmp_path / "log"
    with started(*EXPORTER, "simulate", f"{flag}=127.0.0.1:0", "--keys=0", log=log):
        url = printed(log, r"listens on (http://127.0.0.1:\d+);")
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{url}/iam/v2/api-keys")  # noqa: S310 # our own http URL
    assert "  --listen-address" not in run("simulate", "--help").stdout


def test_config_check_of_a_good_file(good: Path) -> None:
    done = run("--config.check", f"--config.file={good}", environ=ENVIRON)
    assert (done.returncode, done.stdout) == (0, f"{good}: valid, 1 organization\n")


def test_a_policy_that_needs_names_is_reported_as_not_evaluated_without_them(
    good: Path, tmp_path: Path
) -> None:
    path = tmp_path / "nameless.yaml"
    path.write_text(f"defaults: {{names: {{enabled: false}}}}\n{good.read_text()}")
    done = run("--config.check", f"--config.file={path}", environ=ENVIRON)
    assert done.returncode == 0
    assert "level=warn" in done.stderr
    assert "the policy unknown_owner is not evaluated, because names are disabled" in done.stderr
    assert "organization=acme" in done.stderr
    done = run("check", f"--config.file={path}", environ=ENVIRON)
    said = " ".join(done.stdout.split())
    assert "unknown_owner not evaluated (`names.enabled` is false)" in said


@pytest.mark.parametrize("command", [[], ["once"], ["check"]])
def test_an_invalid_configuration_is_exit_code_1_with_every_problem(
    tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("organizations:\n  - name: a b\n    url: http://example.com\n    colour: red\n")
    done = run(*command, f"--config.file={path}", environ=ENVIRON)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1:3] for line in lines] == [
        [f"{path}:2", "organizations[0].name"],
        [f"{path}:3", "organizations[0].url"],
        [f"{path}:4", "organizations[0].colour"],
    ]
    assert done.stdout == ""


def test_a_missing_configuration_names_the_flag(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "confluent-api-keys-exporter: config.yaml: no such file; set `--config.file` to an"
        " existing file\n"
    )


def test_an_invalid_host_name_is_an_error_in_one_line(good: Path) -> None:
    done = run(f"--config.file={good}", "--web.listen-address=a..b:80", environ=ENVIRON)
    assert done.returncode == 1
    assert done.stderr.startswith("confluent-api-keys-exporter: cannot listen on a..b:80: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_one_line_and_exit_code_1(good: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(
            f"--config.file={good}", f"--web.listen-address=127.0.0.1:{port}", environ=ENVIRON
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"confluent-api-keys-exporter: cannot listen on 127.0.0.1:{port}: the port is in use; stop"
        " what listens there, or choose another\n"
    )


def test_once_prints_the_metrics_and_nothing_else(good: Path) -> None:
    done = run("once", f"--config.file={good}", environ=ENVIRON)
    assert done.returncode == 0
    assert total(done.stdout) == {"acme": 321}
    assert "process_" not in done.stdout
    assert all(line.startswith("time=") for line in done.stderr.splitlines())


def test_once_with_an_organization_that_fails_prints_the_others_and_exits_with_1(
    mixed: Path,
) -> None:
    done = run("once", f"--config.file={mixed}", environ=ENVIRON)
    assert done.returncode == 1
    assert total(done.stdout) == {"acme": 321}
    assert 'confluent_cloud_up{collector="api_keys",organization="poor"} 0.0' in done.stdout


def test_check_prints_what_each_organization_sees(mixed: Path) -> None:
    done = run("check", f"--config.file={mixed}", environ=ENVIRON)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    acme, *facts, poor = [line for line in lines if not line.startswith(" " * 15)]
    assert acme.startswith("acme: ok: 321 keys of ")
    assert "service-account" in acme
    assert acme.endswith("own key seen")
    assert [fact.split(":")[0].strip() for fact in facts] == [
        "findings",
        "top owners",
        "oldest keys",
        "quotas",
        "own key",
    ]
    assert all(len(line) < 80 for line in lines if line.startswith("  ") and "failed" not in line)
    assert poor.startswith("poor: failed (forbidden): GET /iam/v2/api-keys: 403 Forbidden")
    assert "OrganizationAdmin" in poor
    assert SECRET not in done.stdout + done.stderr


def test_check_of_good_organizations_is_exit_code_0(good: Path) -> None:
    assert run("check", f"--config.file={good}", environ=ENVIRON).returncode == 0


def test_schema_is_json_for_editors() -> None:
    done = run("schema")
    assert done.returncode == 0
    assert {"defaults", "organizations"} <= json.loads(done.stdout)["properties"].keys()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_exporter_with_exit_code_0(
    good: Path, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    command = (*EXPORTER, f"--config.file={good}", "--web.listen-address=127.0.0.1:0")
    with started(*command, log=log, environ=ENVIRON) as process:
        url = printed(log, r"urls=(\S+)")
        with urlopen(f"{url}/metrics") as response:  # noqa: S310 # our own http URL
            assert response.status == 200
        code, seconds = stop(process, number)
    assert code == 0
    assert seconds < 2
    assert "Traceback" not in log.read_text()


def test_several_addresses_answer(good: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    second = "[::1]:0" if socket.has_ipv6 else "127.0.0.1:0"
    addresses = ("--web.listen-address=127.0.0.1:0", f"--web.listen-address={second}")
    with started(*EXPORTER, f"--config.file={good}", *addresses, log=log, environ=ENVIRON):
        urls = printed(log, r'urls="([^"]+)"').split()
        assert len(urls) == 2
        for url in urls:
            with urlopen(f"{url}/-/healthy") as response:  # noqa: S310 # our own http URL
                assert response.read() == b"Healthy.\n"


def test_sighup_reloads_the_configuration_and_rejects_an_invalid_one(
    good: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = (*EXPORTER, f"--config.file={good}", "--web.listen-address=127.0.0.1:0")
    text = good.read_text()
    with started(*command, log=log, environ=ENVIRON) as process:
        printed(log, r"(msg=refreshed)")
        good.write_text(text.replace("acme", "renamed"))
        process.send_signal(signal.SIGHUP)
        printed(log, r"msg=refreshed (organization=renamed)")
        good.write_text("organizations: []")
        process.send_signal(signal.SIGHUP)
        problem = printed(log, r'msg="the new configuration was rejected" problem="([^"]+)"')
        assert "is an empty list" in problem
        url = printed(log, r"urls=(\S+)")
        with urlopen(f"{url}/metrics") as response:  # noqa: S310 # our own http URL
            exposition = response.read().decode()
        assert total(exposition) == {"renamed": 321}
        assert "confluent_cloud_exporter_config_last_reload_successful 0.0" in exposition


def test_log_lines_in_json_have_the_usual_keys(good: Path) -> None:
    done = run("once", "--log.format=json", f"--config.file={good}", environ=ENVIRON)
    for line in done.stderr.splitlines():
        entry = json.loads(line)
        assert list(entry)[:4] == ["time", "level", "source", "msg"]
        assert SECRET not in line


def test_a_failure_names_its_organization_in_the_log(good: Path) -> None:
    environ = ENVIRON | {"CONFLUENT_CLOUD_API_SECRET": "wrong"}
    done = run("once", "--log.level=error", f"--config.file={good}", environ=environ)
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert " level=error source=loop.py:" in line
        assert 'msg="refresh failed" organization=acme collector=' in line


@pytest.mark.parametrize(
    ("environ", "begins"),
    [
        ({"SSL_CERT_FILE": "/nowhere"}, "`SSL_CERT_FILE`: the file /nowhere does not exist"),
        (
            {"SSL_CERT_FILE": "", "SSL_CERT_DIR": "/nowhere"},
            "`SSL_CERT_DIR`: the directory does not exist",
        ),
        (
            {"ALL_PROXY": "socks5://127.0.0.1:9"},
            "the environment variable ALL_PROXY is not",
        ),
        (
            {"HTTPS_PROXY": "foo://127.0.0.1:9"},
            "the environment variable HTTPS_PROXY is not",
        ),
        (
            {"https_proxy": "http://me:s3cret@127.0.0.1:99999"},
            "the environment variable https_proxy is not",
        ),
        (
            {"HTTPS_PROXY": "http://me:s3cr#t@127.0.0.1:9"},
            "the environment variable HTTPS_PROXY is not",
        ),
    ],
)
def test_an_unusable_environment_is_an_error_in_one_line(
    tmp_path: Path, environ: dict[str, str], begins: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("organizations: [{name: acme}]\n")
    done = run("check", f"--config.file={path}", environ=ENVIRON | environ)
    assert done.returncode == 1
    assert done.stderr.startswith(f"confluent-api-keys-exporter: {begins}")
    assert len(done.stderr.splitlines()) == 1
    assert "s3cr" not in done.stderr


def test_plain_http_to_this_machine_uses_no_proxy(good: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        environ = ENVIRON | {"HTTP_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        environ |= {"ALL_PROXY": environ["HTTP_PROXY"]}
        done = run("check", f"--config.file={good}", environ=environ)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("scheme", "reason", "says"),
    [
        ("https", "tls", "TLS: WRONG_VERSION_NUMBER. Check `url`, proxies and firewalls"),
        ("http", "connection", "no complete answer: "),
    ],
)
def test_an_api_that_cannot_be_reached(
    tmp_path: Path, api: str, scheme: str, reason: str, says: str
) -> None:
    if scheme == "https":
        url = api.replace("http:", "https:")
    else:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    path = tmp_path / "config.yaml"
    path.write_text(
        "defaults: {refresh_timeout: 2s, request_timeout: 1s,"
        " names: {enabled: false}, quotas: {enabled: false}}\n"
        f"organizations: [{{name: acme, url: {url}}}]\n"
    )
    done = run("check", f"--config.file={path}", environ=ENVIRON)
    assert done.returncode == 1
    assert f"acme: failed ({reason}): GET /iam/v2/api-keys: {says}" in done.stdout
    assert "Traceback" not in done.stderr


_SIGTERM_WHILE_LOADING = """
import os, signal, sys, exporter.cli
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {"exporter.cli.commands", "exporter.cli.demo", "exporter.cli.one_shot"}:
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Finder())
sys.exit(exporter.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--config.file=x"], 0), (["demo"], 0), (["once"], 143)]
)
def test_a_signal_while_the_libraries_load_ends_the_process(
    arguments: list[str], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SIGTERM_WHILE_LOADING, *arguments],
        cwd=ROOT,
        capture_output=True,
        timeout=programs.TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_check_that_waits(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = tmp_path / "config.yaml"
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        path.write_text(f"organizations: [{{name: acme, url: {url}}}]\n")
        log = tmp_path / "log"
        command = (*EXPORTER, "check", f"--config.file={path}")
        with started(*command, log=log, environ=ENVIRON) as process:
            silent.accept()[0].close()  # it is asking
            connection, _ = silent.accept()
            with connection:
                ended = stop(process, number)
    assert ended[0] == code
    assert ended[1] < 2
    assert "Traceback" not in log.read_text()
