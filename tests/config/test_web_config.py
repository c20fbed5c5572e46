"""Valid web configurations: their values, and that promtool accepts them too."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from exporter.config.web_ciphers import INSECURE, TLS_1_2, TLS_1_3
from exporter.config.web_config import (
    ClientAuth,
    TlsConfig,
    WebConfig,
    WebRateLimit,
    load_web_config,
)
from exporter.errors import ConfigurationError
from tests.config.web_files import HASH, write_files

if TYPE_CHECKING:
    from pathlib import Path

PAIR = "cert_file: server.crt, key_file: server.key"
CLIENTS = f"{PAIR}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert"
EVERY_SETTING = f"""
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example, ops@example.com, 10.0.0.1, 'spiffe://example/p']
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
  - TLS_AES_128_GCM_SHA256
  - TLS_AES_256_GCM_SHA384
  - TLS_CHACHA20_POLY1305_SHA256
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'self'
    Strict-Transport-Security: max-age=31536000
    X-Content-Type-Options: nosniff
    X-Frame-Options: deny
    X-XSS-Protection: 0
basic_auth_users:
  prometheus: {HASH}
  'Grafana Agent': {HASH.replace("$2b$10", "$2y$04")}
rate_limit:
  interval: 1m0.5s
  burst: 20
"""
VALID = {
    "empty": "",
    "only a comment": "# nothing yet\n",
    "empty mapping": "{}",
    "only min_version": "tls_server_config: {min_version: TLS13}",
    "pair": f"tls_server_config: {{{PAIR}}}",
    "no client certificates": f"tls_server_config: {{{PAIR}, client_auth_type: NoClientCert}}",
    "client certificates": f"tls_server_config: {{{CLIENTS}}}",
    "optional client certificates": f"tls_server_config: {{{CLIENTS}}}".replace(
        "RequireAndVerifyClientCert", "VerifyClientCertIfGiven"
    ),
    "all cipher suites": f"tls_server_config: {{{PAIR}, cipher_suites: "
    f"[{', '.join([*TLS_1_2, *TLS_1_3])}]}}",
    "empty lists": f"tls_server_config: {{{PAIR}, cipher_suites: [], curve_preferences: []}}",
    **{
        curve: f"tls_server_config: {{{PAIR}, curve_preferences: [{curve}]}}"
        for curve in ("CurveP256", "CurveP384", "CurveP521", "X25519")
    },
    "no HTTP/2": "http_server_config: {http2: false}",
    "blank header": 'http_server_config: {headers: {X-XSS-Protection: ""}}',
    "no users": "basic_auth_users: {}",
    "users": f"basic_auth_users: {{a: {HASH}, b: {HASH.replace('2b', '2a')}}}",
    "no rate limit": "rate_limit: {interval: 0, burst: 0}",
    "rate limits in Go's notation": "rate_limit: {interval: 1h, burst: 1}",
    "every setting": EVERY_SETTING,
    "every setting of promtool 2.42": re.sub(
        r"  client_allowed_sans.*\n|rate_limit:\n.*\n.*\n", "", EVERY_SETTING
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    write_files(folder)
    inline = [f"  {name}: {_quoted(folder / file)}" for name, file in _INLINE.items()]
    (folder / "inline.yaml").write_text(
        "\n".join(["tls_server_config:", *inline, "  client_auth_type: VerifyClientCertIfGiven"])
    )
    return folder


_INLINE = {"cert": "server.crt", "key": "server.key", "client_ca": "ca.pem"}


def _quoted(path: Path) -> str:
    return '"' + path.read_text().replace("\n", "\\n") + '"'


def loaded(folder: Path, text: str) -> WebConfig:
    path = folder / "web.yaml"
    path.write_text(text)
    return load_web_config(path)[0]


def tls(folder: Path, settings: str) -> TlsConfig:
    config = loaded(folder, f"tls_server_config: {{{settings}}}").tls
    assert config is not None
    return config


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize("name", [*VALID, "inline"])
def test_promtool_accepts_what_is_valid(folder: Path, name: str) -> None:
    path = folder / "inline.yaml"
    if name != "inline":
        path = folder / "web.yaml"
        path.write_text(VALID[name])
    load_web_config(path)
    done = subprocess.run(
        ["promtool", "check", "web-config", path], capture_output=True, text=True, check=False
    )
    if unknown := re.search(r"field (\w+) not found in type", done.stdout + done.stderr):
        pytest.skip(f"this promtool is too old for `{unknown[1]}`")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "---\n", "\ufeff"])
def test_an_empty_file_configures_nothing(folder: Path, text: str) -> None:
    assert loaded(folder, text) == WebConfig()


def test_every_setting_is_read(folder: Path) -> None:
    config = loaded(folder, EVERY_SETTING)
    assert config == WebConfig(
        tls=TlsConfig(
            certificate=(folder / "server.crt").read_bytes(),
            key=(folder / "server.key").read_bytes(),
            client_ca=(folder / "ca.pem").read_bytes(),
            client_auth=ClientAuth.REQUIRED,
            client_allowed_sans=(
                "prometheus.example",
                "ops@example.com",
                "10.0.0.1",
                "spiffe://example/p",
            ),
            ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
            prefer_server_ciphers=False,
            curve="prime256v1",
        ),
        headers={
            "Content-Security-Policy": "default-src 'self'",
            "Strict-Transport-Security": "max-age=31536000",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "deny",
            "X-XSS-Protection": "0",
        },
        users={"prometheus": HASH, "Grafana Agent": HASH.replace("$2b$10", "$2y$04")},
        rate_limit=WebRateLimit(interval=60.5, burst=20),
    )


def test_certificates_and_keys_in_the_file_are_read(folder: Path) -> None:
    config, files = load_web_config(folder / "inline.yaml")
    assert config.tls == TlsConfig(
        certificate=(folder / "server.crt").read_bytes(),
        key=(folder / "server.key").read_bytes(),
        client_ca=(folder / "ca.pem").read_bytes(),
        client_auth=ClientAuth.OPTIONAL,
    )
    assert list(files) == [str(folder / "inline.yaml")]


@pytest.mark.parametrize(
    ("settings", "enabled"),
    [
        ("{}", False),
        ("{min_version: TLS12}", False),
        (f"{{{PAIR}}}", True),
    ],
)
def test_tls_is_enabled_by_a_certificate_and_not_by_a_version(
    folder: Path, settings: str, *, enabled: bool
) -> None:
    assert (loaded(folder, f"tls_server_config: {settings}").tls is not None) == enabled


@pytest.mark.parametrize(
    "settings", ["client_ca_file: ca.pem", "client_ca: x", "client_auth_type: NoClientCert"]
)
def test_tls_is_enabled_by_settings_for_clients(folder: Path, settings: str) -> None:
    with pytest.raises(ConfigurationError, match="TLS needs a certificate"):
        tls(folder, settings)


def test_the_files_of_the_configuration_are_returned_with_their_versions(folder: Path) -> None:
    path = folder / "web.yaml"
    path.write_text(f"tls_server_config: {{{CLIENTS}}}")
    _, files = load_web_config(path)
    assert set(files) == {
        str(folder / name) for name in ("web.yaml", "server.crt", "server.key", "ca.pem")
    }
    assert None not in files.values()


def test_only_suites_of_tls_1_3_rule_out_tls_1_2(folder: Path) -> None:
    config = tls(folder, f"{PAIR}, cipher_suites: [{', '.join(TLS_1_3)}]")
    assert (config.min_version, config.ciphers) == (ssl.TLSVersion.TLSv1_3, None)


@pytest.mark.parametrize(("go", "openssl"), TLS_1_2.items())
def test_a_cipher_suite_of_go_is_that_of_openssl(go: str, openssl: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(openssl)
    (suite,) = [each for each in context.get_ciphers() if each["name"] not in TLS_1_3]
    assert suite["name"] == openssl
    # The description names key exchange, authentication, cipher and MAC in its own words.
    exchange, cipher = re.fullmatch(r"TLS_(\w+)_WITH_(\w+)", go).groups()  # type: ignore[union-attr] # matches
    key_exchange, authentication = exchange.split("_")
    assert f"Kx={key_exchange.removesuffix('E')}" in suite["description"].replace(" ", "")
    assert f"Au={authentication}" in suite["description"].replace(" ", "")
    name, bits, mode = re.match(r"([A-Z]+)(?:20)?_(\w+?)_(\w+)", cipher).groups()  # type: ignore[union-attr] # matches
    encryption = {
        ("AES", "CBC"): f"Enc=AES({bits})Mac=SHA1",
        ("AES", "GCM"): f"Enc=AESGCM({bits})Mac=AEAD",
        ("CHACHA", "SHA"): "Enc=CHACHA20/POLY1305(256)Mac=AEAD",
    }[name, mode[:3]]
    assert encryption in suite["description"].replace(" ", "")


def test_no_cipher_suite_is_both_secure_and_insecure() -> None:
    assert not INSECURE & {*TLS_1_2, *TLS_1_3}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("+1s", 1.0),
        ("100ms", 0.1),
        ("1m30s", 90.0),
        (".5s", 0.5),
        ("1.5h30m", None),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1h", 3600.0),
    ],
)
def test_intervals_are_in_the_notation_of_go(
    folder: Path, text: str, seconds: float | None
) -> None:
    configuration = f"rate_limit: {{interval: {text}, burst: 1}}"
    if seconds is None:
        with pytest.raises(ConfigurationError, match="is too long"):
            loaded(folder, configuration)
    else:
        limit = loaded(folder, configuration).rate_limit
        assert limit is not None
        assert limit.interval == pytest.approx(seconds)


@pytest.mark.parametrize("interval", ["0", "0s", '"0"', "0h0m0s"])
def test_an_interval_of_zero_is_no_rate_limit(folder: Path, interval: str) -> None:
    assert loaded(folder, f"rate_limit: {{interval: {interval}}}").rate_limit is None


def test_a_blank_header_is_not_sent(folder: Path) -> None:
    config = loaded(folder, 'http_server_config: {headers: {Content-Security-Policy: ""}}')
    assert config.headers == {}


def test_too_many_users_are_refused_without_a_look_at_each(folder: Path) -> None:
    users = "".join(f"  user{number}: x\n" for number in range(1001))
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, f"basic_auth_users:\n{users}")
    assert [problem.message for problem in caught.value.problems] == [
        "has too many users; expected at most 1000"
    ]


def test_only_the_first_problems_are_shown(folder: Path) -> None:
    users = "".join(f"  user{number}: x\n" for number in range(200))
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, f"basic_auth_users:\n{users}")
    assert len(caught.value.problems) == 101
    assert caught.value.problems[0].message.startswith("more than 100 problems")


@pytest.mark.parametrize("text", ["", "invalid: \xff"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, text: str) -> None:
    path = tmp_path / "web.yaml"
    expected = "no such file; set `--web.config.file` to an existing file"
    if text:
        path.write_bytes(text.encode("latin-1"))
        expected = "is not valid UTF-8; save it in that encoding"
    with pytest.raises(ConfigurationError) as caught:
        load_web_config(path)
    assert [problem.message for problem in caught.value.problems] == [expected]


def test_no_secret_is_in_a_representation(folder: Path) -> None:
    config = loaded(folder, EVERY_SETTING)
    shown = f"{config!r}{config.tls!r}{config}"
    assert "PRIVATE" not in shown
    assert "$2" not in shown
    assert "prometheus:" not in shown


@pytest.mark.parametrize(
    ("config", "authenticates", "description"),
    [
        (WebConfig(), False, "no TLS, no users"),
        (WebConfig(users={"a": HASH}), True, "no TLS, 1 user"),
        (WebConfig(tls=TlsConfig(b"", b"")), False, "TLS, no users"),
        (
            WebConfig(
                tls=TlsConfig(b"", b"", client_auth=ClientAuth.OPTIONAL),
                rate_limit=WebRateLimit(1.0, 1),
            ),
            False,
            "TLS with optional client certificates, no users, a rate limit",
        ),
        (
            WebConfig(
                tls=TlsConfig(b"", b"", client_auth=ClientAuth.REQUIRED),
                users=MappingProxyType({"a": HASH, "b": HASH}),
            ),
            True,
            "TLS with required client certificates, 2 users",
        ),
    ],
)
def test_a_configuration_describes_itself(
    config: WebConfig, *, authenticates: bool, description: str
) -> None:
    assert config.authenticates == authenticates
    assert config.describe() == description


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"http_server_config: {{headers: {{X-XSS-Protection: {'x' * 4097}}}}}", "is too long; ex"),
        (f"tls_server_config: {{cert: {'x' * 262145}}}", "is too long; expected at most 256 KiB"),
        (f"tls_server_config: {{cipher_suites: [{'x, ' * 1001}]}}", "has too many entries; expect"),
        (f"basic_auth_users: {{{'x' * 256}: {HASH}}}", "is not a valid user name; expected 1 to"),
        ("".join(f"x{number}: 1\n" for number in range(200)), "more than 100 problems; only the"),
    ],
)
def test_everything_is_bounded(folder: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, text)
    assert caught.value.problems[0].message.startswith(problem)


def test_a_key_that_the_exporter_may_not_read_is_a_problem(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.open

    def refuse(path: Path, *rest: int) -> int:
        if path.name == "server.key":
            raise PermissionError(13, "Permission denied")
        return original(path, *rest)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigurationError, match="key_file: the file cannot be read; make it read"):
        tls(folder, PAIR)
