"""The exporter loads the files that a pod of the chart mounts, with the arguments of the pod."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.cli.arguments import parse
from exporter.cli.shard_flags import selected_shard
from exporter.config import (
    ApiKeyCredentials,
    OAuthClient,
    PoolCredentials,
    Secret,
    load,
    load_web_config,
)
from tests.chart.helm import CHART, FULLNAME, VALUE_FILES, arguments_of, rendered, rendered_file
from tests.chart.mounts import Files, mount
from tests.jwts import jwt

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from exporter.config import Config, WebConfig
    from tests.chart.helm import Manifest, Rendered

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chart")]

VALUES = CHART / "ci"
USAGE = VALUES / "usage-values.yaml"


def options_of(pod: Manifest) -> argparse.Namespace:
    """Return the options that the exporter reads from the arguments of a pod."""
    return parse(arguments_of(pod))


def load_as_pod(
    pod: Manifest, release: Rendered, existing: dict[str, Files], folder: Path
) -> tuple[Config, WebConfig | None]:
    """Return what the exporter loads from the files that ``pod`` mounts below ``folder``."""
    mount(pod, release, existing, below=folder)
    options, web = options_of(pod), None
    if options.web_config_file is not None:
        web, _ = load_web_config(folder / options.web_config_file.relative_to("/"))
    path = folder / options.config_file.relative_to("/")
    return load(path, environ={}, shard=selected_shard(options)), web


@pytest.mark.parametrize("file", VALUE_FILES, ids=lambda file: file.stem)
def test_the_exporter_loads_what_each_pod_mounts(
    file: Path, existing: dict[str, Files], tmp_path: Path
) -> None:
    release, values = rendered_file(file), yaml.safe_load(file.read_text())
    names = []
    for position, pod in enumerate(release.pods()):
        config, web = load_as_pod(pod, release, existing, tmp_path / str(position))
        names += [each.name for each in config.organizations]
        written = values.get("web", {})
        assert (web is not None) == bool(written.keys() & {"config", "existingSecret", "tls"})
        assert web is None or web.tls is not None
        assert web is None or web.authenticates
    assert sorted(names) == sorted(each["name"] for each in values["organizations"])


def test_each_kind_of_credentials_is_read_from_its_files(
    existing: dict[str, Files], tmp_path: Path
) -> None:
    oauth = {
        "tokenUrl": "https://login.example.com/token",
        "clientId": "id",
        "scope": "one two",
        "clientSecret": "secret-of-the-client",
    }
    credentials: dict[str, dict[str, Any]] = {
        "existing": {"existingSecret": {"name": "acme-api-key"}},
        "created": {"apiKey": "CREATED", "apiSecret": "p'\"\\$_{x}:#"},
        "token": {"identityPool": "pool-a", "serviceAccountToken": {"audience": "me"}},
        "client": {"identityPool": "pool-b", "oauth": oauth},
    }
    organizations = [{"name": name, "credentials": each} for name, each in credentials.items()]
    release = rendered(values={"organizations": organizations})
    [pod] = release.pods()
    config, _ = load_as_pod(pod, release, existing, tmp_path)
    key, created, token, client = (each.credentials for each in config.organizations)
    assert isinstance(key, ApiKeyCredentials)
    assert key.read() == ("ABCDEFGHIJKLMNOP", Secret("made-up-secret"))
    assert isinstance(created, ApiKeyCredentials)
    assert created.read() == ("CREATED", Secret("p'\"\\$_{x}:#"))
    assert isinstance(token, PoolCredentials)
    assert (token.identity_pool, token.subject_token.read()) == (
        "pool-a",
        Secret(jwt({"aud": ["me"]})),
    )
    assert isinstance(client, PoolCredentials)
    assert isinstance(client.subject_token, OAuthClient)
    assert client.identity_pool == "pool-b"
    assert client.subject_token.scope == "one two"
    assert client.subject_token.read() == Secret("secret-of-the-client")


def test_the_settings_reach_the_exporter_unchanged(
    existing: dict[str, Files], tmp_path: Path
) -> None:
    """Among them are a null, which disables a policy, and a large number."""
    release = rendered_file(USAGE)
    [pod] = release.pods()
    config, _ = load_as_pod(pod, release, existing, tmp_path)
    acme, globex = config.organizations
    assert (acme.policy.max_age, acme.policy.user_owned) == (None, None)
    assert (globex.policy.max_age, globex.policy.user_owned) == (None, True)
    assert acme.max_response_bytes == 33554432
    assert (acme.rate_limit.reserve, globex.rate_limit.reserve) == (0.25, 0.5)
    assert (acme.usage.enabled, globex.usage.enabled) == (True, False)


def test_each_organization_has_a_state_file_on_the_volume(
    existing: dict[str, Files], tmp_path: Path
) -> None:
    release = rendered_file(USAGE)
    [pod] = release.pods()
    config, _ = load_as_pod(pod, release, existing, tmp_path)
    folder = tmp_path / "var/lib/confluent-api-keys-exporter"
    assert [each.usage.state_file for each in config.organizations] == [
        folder / "acme.json",
        folder / "globex.json",
    ]


def test_a_state_file_in_the_settings_is_kept() -> None:
    release = rendered(
        values={
            "persistence": {"enabled": True},
            "organizations": [
                {
                    "name": "acme",
                    "credentials": {"existingSecret": {"name": "acme-api-key"}},
                    "settings": {"usage": {"state_file": "/mnt/acme"}},
                }
            ],
        }
    )
    config = yaml.safe_load(release.only("ConfigMap")["data"]["config.yaml"])
    assert config["organizations"][0]["usage"] == {"state_file": "/mnt/acme"}


def secrets_of(file: Path) -> list[str]:
    """Return the secrets in a value file, and the hashes of passwords."""
    names = r"apiKey|apiSecret|clientSecret|prometheus"
    found = re.findall(rf"^ +(?:{names}): +'?([^\s{{].*?)'?$", file.read_text(), re.MULTILINE)
    return list(map(str, found))


def test_no_secret_is_in_the_configuration_or_the_pod() -> None:
    secrets = {file: found for file in VALUE_FILES if (found := secrets_of(file))}
    assert {file.stem: len(found) for file, found in secrets.items()}.items() >= {
        ("created-secrets-values", 3),
        ("shards-values", 2),
        ("web-values", 1),
    }
    for file, found in secrets.items():
        others = [each for each in rendered_file(file).manifests if each["kind"] != "Secret"]
        assert [each for each in found if each in str(others)] == []


def test_the_flags_follow_the_values() -> None:
    [pod] = rendered_file(VALUES / "web-values.yaml").pods()
    options = options_of(pod)
    assert options.web_listen_addresses == [":8443"]
    assert options.web_probe_addresses == [":8081"]
    assert options.web_telemetry_path == "/internal/metrics"
    assert options.web_external_url == "https://keys.example.com/exporter"
    assert (options.web_lifecycle, options.web_inventory) == (True, True)
    assert (options.log_level, options.log_format) == ("debug", "json")
    [pod] = rendered_file(VALUES / "api-key-values.yaml").pods()
    defaults = options_of(pod)
    assert (defaults.web_lifecycle, defaults.web_inventory) == (False, False)
    assert (defaults.web_external_url, defaults.web_config_file) == (None, None)
    assert (defaults.log_level, defaults.log_format) == ("info", "logfmt")


def test_further_arguments_follow_those_of_the_chart() -> None:
    [pod] = rendered_file(VALUES / "pod-values.yaml").pods()
    assert options_of(pod).web_listen_addresses == [":10049", "127.0.0.1:9090"]


def test_more_tls_settings_do_not_replace_the_certificate() -> None:
    release = rendered_file(VALUES / "web-values.yaml")
    data = release.only("Secret", f"{FULLNAME}-web")["data"]["web.yaml"]
    assert yaml.safe_load(base64.b64decode(data))["tls_server_config"] == {
        "cert_file": "tls.crt",
        "key_file": "tls.key",
        "min_version": "TLS13",
    }
