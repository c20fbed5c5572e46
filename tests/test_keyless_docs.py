"""The pages about credentials: what a page configures, deploys and filters belongs together."""

from __future__ import annotations

import re
from configparser import RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter import config
from exporter.errors import (
    CREDENTIALS_FAILURE_REASONS,
    REQUEST_FAILURE_REASONS,
    TokenUnreadable,
)
from tests.jwts import jwt
from tests.markdown import ROOT, code_blocks, relative_links
from tests.test_messages import is_in_the_program, messages

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = ROOT / "docs"
KEYLESS = sorted((DOCS / "keyless").glob("*.md"))
KUBERNETES, AZURE, AWS, GITHUB, CLIENT = (
    DOCS / "keyless" / f"{name}.md"
    for name in ("kubernetes", "azure", "aws", "github-actions", "client-credentials")
)
CLUSTERS = (AZURE, AWS)
"""The pages that send the reader to the manifest of ``KUBERNETES``."""
TOKENS_OF_THE_PLATFORM = {
    AZURE: ("/var/run/secrets/azure/tokens/azure-identity-token", "api://AzureADTokenExchange"),
    AWS: ("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "sts.amazonaws.com"),
}
"""By page: the path of the token that a webhook mounts, and its audience."""
REASONS = {*CREDENTIALS_FAILURE_REASONS, *REQUEST_FAILURE_REASONS}
FILTER = re.compile(r"^ *filter += (.*?)^(?: \w|\})", re.MULTILINE | re.DOTALL)
DECLARATION = re.compile(r'^(resource|data) "(\w+)" "(\w+)"', re.MULTILINE)
JWT = jwt({"sub": "exporter"})
SECRET = "a-secret-of-a-client"


def blocks(page: Path, language: str) -> list[str]:
    return code_blocks(page.read_text(), language)


def documents(page: Path) -> Iterator[dict[str, Any]]:
    for block in blocks(page, "yaml"):
        yield from yaml.safe_load_all(block)


def configurations(page: Path) -> list[str]:
    """Return the configurations of the exporter, also those in a ConfigMap, in their order."""
    found = []
    for block in blocks(page, "yaml"):
        for document in yaml.safe_load_all(block):
            if "organizations" in document:
                found.append(block)
            elif document.get("kind") == "ConfigMap":
                found.append(document["data"]["config.yaml"])
    return found


def credentials(page: Path) -> list[dict[str, Any]]:
    return [
        organization["credentials"]
        for text in configurations(page)
        for organization in yaml.safe_load(text)["organizations"]
    ]


def manifest(kind: str) -> dict[str, Any]:
    """Return the only document of ``kind`` in the manifest."""
    (found,) = (each for each in documents(KUBERNETES) if each.get("kind") == kind)
    return found


def pod(page: Path) -> dict[str, Any]:
    """Return the pod of the manifest, with what ``page`` has instead of the token."""
    spec: dict[str, Any] = manifest("Deployment")["spec"]["template"]["spec"]
    for document in documents(page):
        if set(document) == {"volumeMounts", "volumes"}:
            (container,) = spec["containers"]
            for where, key in ((container, "volumeMounts"), (spec, "volumes")):
                kept = [each for each in where[key] if each["name"] != "token"]
                assert len(kept) == len(where[key]) - 1
                where[key] = kept + document[key]
    return spec


def volumes_by_folder(page: Path) -> dict[str, dict[str, Any]]:
    """Return the volumes of the pod of ``page`` by the path at which they are mounted."""
    spec = pod(page)
    (container,) = spec["containers"]
    volumes = {each["name"]: each for each in spec["volumes"]}
    mounts = container["volumeMounts"]
    assert {each["name"] for each in mounts} == set(volumes)
    assert not any("subPath" in each for each in mounts)  # it would never be renewed
    return {each["mountPath"]: volumes[each["name"]] for each in mounts}


def filters(page: Path) -> list[str]:
    """Return the filters of ``page`` as they are pasted into the Console, in their order."""
    return [each.strip() for each in blocks(page, "text") if each.lstrip("(").startswith("claims.")]


def filters_for_terraform(page: Path) -> list[str]:
    """Return the values that the expressions for the filters have in the ``main.tf``."""
    found = []
    for text in FILTER.findall("\n".join(blocks(page, "hcl"))):
        separator, *parts = re.findall(r'"((?:\\.|[^"\\])*)"', text)
        if not text.startswith("join("):
            assert not parts
            separator, parts = "", [separator]
        found.append(separator.join(parts).replace('\\"', '"'))
    return found


def pinned(expression: str) -> dict[str, str]:
    """Return the claims that a filter pins."""
    assert "||" not in re.sub(r"\(claims\.aud[^()]*\)", "", expression)
    claims = dict(re.findall(r'claims\.(\w+) == "([^"]*)"', expression))
    assert set(re.findall(r'"([^"]*)" in claims\.aud', expression)) <= {claims["aud"]}
    return claims


def commands(page: Path) -> str:
    """Return what the reader types, with continued lines joined."""
    return "\n".join(blocks(page, "console")).replace("\\\n", "")


def config_file_of_the_image() -> str:
    image = (ROOT / "Dockerfile").read_text()
    (path,) = re.findall(r'^CMD \["--config\.file=(/\S+)"\]$', image, re.MULTILINE)
    assert isinstance(path, str)
    return path


def subject() -> str:
    namespace = manifest("Deployment")["metadata"]["namespace"]
    return f"system:serviceaccount:{namespace}:{pod(KUBERNETES)['serviceAccountName']}"


@pytest.mark.parametrize("page", [DOCS / "credentials.md", *KEYLESS], ids=lambda page: page.name)
def test_the_configurations_are_valid(page: Path, tmp_path: Path) -> None:
    found = configurations(page)
    assert found
    for number, text in enumerate(found):
        folder = tmp_path / str(number)
        for setting, path in re.findall(r"(\w+_file): (\S+)", text):
            file = folder / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(JWT if setting == "token_file" else SECRET)
        relocated = re.sub(r"(_file: )/", rf"\g<1>{folder}/", text)
        loaded = config.parse(relocated, file=page.name, folder=folder, environ={})
        for organization in loaded.organizations:
            match organization.credentials:
                case config.PoolCredentials(subject_token=config.TokenFile() as file_of_token):
                    assert file_of_token.read() == config.Secret(JWT)
                case config.PoolCredentials(subject_token=config.OAuthClient() as client):
                    assert client.read() == config.Secret(SECRET)
                case config.ApiKeyCredentials() as key:
                    assert page.name == "credentials.md"
                    assert key.read() == (SECRET, config.Secret(SECRET))


def test_the_page_of_the_kinds_shows_each_kind() -> None:
    kinds = [sorted(each) for each in credentials(DOCS / "credentials.md")]
    assert kinds == [
        ["api_key_file", "api_secret_file"],
        ["identity_pool", "token_file"],
        ["identity_pool", "oauth"],
    ]


def test_each_page_is_linked_from_the_index_and_from_the_page_of_the_kinds() -> None:
    for page in (DOCS / "README.md", DOCS / "credentials.md"):
        links = {(DOCS / each.partition("#")[0]) for each in relative_links(page.read_text())}
        assert set(KEYLESS) <= links


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_each_pool_has_a_filter_that_pins_the_audience_and_the_workload(page: Path) -> None:
    found = [pinned(each) for each in filters(page)]
    assert len(found) == len(credentials(page)) + (page in CLUSTERS)
    assert all(set(each) in ({"aud", "sub"}, {"aud", "azp"}) for each in found)


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_the_filters_for_terraform_are_those_for_the_console(page: Path) -> None:
    found = filters_for_terraform(page)
    assert len(found) == "\n".join(blocks(page, "hcl")).count(" filter ")
    assert found
    assert [each for each in found if each not in filters(page)] == []


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_each_main_tf_is_complete_and_applied(page: Path) -> None:
    """Terraform looks for providers without a source in its own namespace."""
    for block in blocks(page, "hcl"):
        sources = dict(re.findall(r'^    (\w+) = \{ source = "(\S+)" \}$', block, re.MULTILINE))
        assert sources == {"confluent": "confluentinc/confluent"}
        assert {kind.partition("_")[0] for _, kind, _ in DECLARATION.findall(block)} == set(sources)
        (output,) = re.findall(r'^output "(\w+)"', block, re.MULTILINE)
        assert f"$ terraform output -raw {output}\n" in commands(DOCS / "credentials.md")
    applied = page.read_text().count("(../credentials.md#with-terraform)")
    assert applied == len(blocks(page, "hcl"))


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_the_steps_are_numbered_in_their_order(page: Path) -> None:
    steps = re.findall(r"^#+ (\d+)\. ", page.read_text(), re.MULTILINE)
    assert [int(each) for each in steps] == [*range(1, len(steps) + 1)]
    assert len(steps) > 2


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_the_terraform_files_refer_to_what_they_declare(page: Path) -> None:
    assert blocks(page, "hcl")
    for block in blocks(page, "hcl"):
        declared = {
            f"{'data.' if kind == 'data' else ''}{type_}.{name}"
            for kind, type_, name in DECLARATION.findall(block)
        }
        used = re.findall(r"(?:data\.)?\bconfluent_\w+\.\w+", block)
        assert declared - {"confluent_role_binding.api_keys_exporter"} == set(used)
        assert 'principal   = "User:${confluent_identity_pool.api_keys_exporter.id}"' in block
        assert 'role_name   = "OrganizationAdmin"' in block
        assert "crn_pattern = data.confluent_organization.this.resource_name" in block


def test_the_projected_token_is_the_one_that_the_filter_accepts() -> None:
    file = Path(credentials(KUBERNETES)[0]["token_file"])
    (source,) = volumes_by_folder(KUBERNETES)[str(file.parent)]["projected"]["sources"]
    token = source["serviceAccountToken"]
    assert token["path"] == file.name
    assert token["expirationSeconds"] >= 600
    assert pinned(filters(KUBERNETES)[0]) == {"aud": token["audience"], "sub": subject()}


@pytest.mark.parametrize("page", CLUSTERS, ids=lambda page: page.name)
def test_the_manifest_fits_the_filters_of_the_pages_that_refer_to_it(page: Path) -> None:
    path, audience = TOKENS_OF_THE_PLATFORM[page]
    assert "(kubernetes.md#3-deploy)" in page.read_text()
    assert filters(page)[0] == filters(KUBERNETES)[0]
    assert credentials(page)[0]["token_file"] == path
    assert pinned(filters(page)[1]) == {"aud": audience, "sub": subject()}


@pytest.mark.parametrize("page", [KUBERNETES, CLIENT], ids=lambda page: page.name)
def test_the_pod_can_read_its_files(page: Path) -> None:
    """The configuration is where the image expects it, and the user is that of the image."""
    (user,) = re.findall(r"^USER (\d+):", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    config_file = Path(config_file_of_the_image())
    volume = volumes_by_folder(page)[str(config_file.parent)]
    assert volume["configMap"]["name"] == manifest("ConfigMap")["metadata"]["name"]
    assert [*manifest("ConfigMap")["data"]] == [config_file.name]
    context = pod(page)["securityContext"]
    assert (context["runAsUser"], context["fsGroup"]) == (int(user), int(user))


@pytest.mark.parametrize("page", [KUBERNETES, CLIENT], ids=lambda page: page.name)
def test_check_runs_in_the_container_with_its_configuration(page: Path) -> None:
    found = re.findall(r"(\S+) exec .* check +--config\.file=(\S+)", commands(page))
    tool = "docker" if page == CLIENT else "monitoring"  # of `kubectl --namespace monitoring`
    assert found == [(tool, config_file_of_the_image())]


def test_what_the_manifest_needs_exists() -> None:
    """In the manifest, or by a command of the page."""
    deployment, typed = manifest("Deployment"), commands(KUBERNETES)
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    account = manifest("ServiceAccount")["metadata"]["name"]
    assert template["spec"]["serviceAccountName"] == account
    assert f"$ docker push {container['image']}\n" in typed
    (namespace,) = {
        each["metadata"]["namespace"] for each in documents(KUBERNETES) if "kind" in each
    }
    assert typed.index(f"$ kubectl create namespace {namespace} ") < typed.index("kubectl apply")
    (file,) = re.findall(r"kubectl apply -f (\S+)", typed)
    assert f"Save this as `{file}`." in KUBERNETES.read_text()
    for resource in re.findall(r"deployment/(\S+)", typed):
        assert resource == deployment["metadata"]["name"]


def test_prometheus_reaches_the_exporter_through_the_service() -> None:
    service, template = manifest("Service"), manifest("Deployment")["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"]
    (port,) = service["spec"]["ports"]
    (container,) = template["spec"]["containers"]
    assert [each["name"] for each in container["ports"]] == [port["targetPort"]]
    (scrape,) = (each for each in documents(KUBERNETES) if "scrape_configs" in each)
    (job,) = scrape["scrape_configs"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert job["static_configs"] == [{"targets": [f"{name}.{namespace}:{port['port']}"]}]
    # The alert about absence expects this in the name of the job, which a ServiceMonitor takes
    # from the Service.
    assert all("confluent-api-keys" in each for each in (job["job_name"], name))


def test_the_workflow_writes_the_token_that_the_filter_accepts() -> None:
    (workflow,) = (each for each in documents(GITHUB) if "jobs" in each)
    (job,) = workflow["jobs"].values()
    scripts = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    assert workflow["permissions"]["id-token"] == "write"
    (audience,) = re.findall(r"\$ACTIONS_ID_TOKEN_REQUEST_URL&audience=([\w-]+)", scripts)
    claims = pinned(*filters(GITHUB))
    assert claims["aud"] == audience
    assert claims["sub"].endswith(f":environment:{job['environment']}")
    # The configuration names a file beside it.
    assert f'> "$RUNNER_TEMP/{credentials(GITHUB)[0]["token_file"]}"' in scripts
    assert 'cp config.yaml "$RUNNER_TEMP/config.yaml"' in scripts
    assert scripts.count('--config.file="$RUNNER_TEMP/config.yaml"') == 2


def test_the_script_for_ec2_writes_the_token_that_the_filter_accepts() -> None:
    (script,) = blocks(AWS, "sh")
    assert script.rstrip().endswith(f" {credentials(AWS)[1]['token_file']}")
    assert re.findall(r"--audience (\S+)", script) == [pinned(filters(AWS)[2])["aud"]]


def test_systemd_writes_the_token_before_the_exporter_reads_it() -> None:
    text, units = AWS.read_text(), {}
    for name, content in re.findall(
        r"^`/etc/systemd/system/(\S+)`[^`]*```ini\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    ):
        units[name] = RawConfigParser()
        units[name].read_string(content)
    (timer,) = (name for name in units if name.endswith(".timer"))
    token = timer.replace(".timer", ".service")
    (drop_in,) = set(units) - {timer, token}
    assert units[drop_in]["Unit"]["After"] == units[drop_in]["Unit"]["Wants"] == token
    exporter = drop_in.partition(".d/")[0]
    unit = (ROOT / "systemd" / exporter).read_text()
    assert f"\nUser={units[token]['Service']['User']}\n" in unit
    folder = f"/run/{units[token]['Service']['RuntimeDirectory']}"
    assert credentials(AWS)[1]["token_file"] == f"{folder}/token"
    # Without these, the folder vanishes with the script, or the exporter starts before its end.
    assert units[token]["Service"]["RuntimeDirectoryPreserve"] == "yes"
    assert units[token]["Service"]["Type"] == "oneshot"
    assert text.index(f"`{units[token]['Service']['ExecStart']}`") < text.index("```sh\n")
    assert f"$ sudo systemctl enable --now {timer} {exporter}\n" in commands(AWS)
    assert "](../systemd.md#install)" in text


def test_the_client_is_the_one_that_the_filter_accepts() -> None:
    entra, okta = credentials(AZURE)[1]["oauth"], credentials(CLIENT)[0]["oauth"]
    claims = pinned(filters(AZURE)[2])
    assert claims["azp"] == entra["client_id"]
    assert entra["scope"] == f"api://{claims['aud']}/.default"
    assert pinned(*filters(CLIENT))["sub"] == okta["client_id"]
    for page, client in ((AZURE, entra), (CLIENT, okta)):
        *_, issuer = re.findall(r'issuer += "(https://[^"]+)"', "\n".join(blocks(page, "hcl")))
        assert Path(client["token_url"]).parts[:3] == Path(issuer).parts[:3]


def test_the_client_secret_is_mounted_where_the_configurations_expect_it() -> None:
    (okta,) = (each["oauth"]["client_secret_file"] for each in credentials(CLIENT))
    assert okta == credentials(AZURE)[1]["oauth"]["client_secret_file"]
    file, typed = Path(okta), commands(CLIENT)
    secret = volumes_by_folder(CLIENT)[str(file.parent)]["secret"]
    assert secret["defaultMode"] == 0o440  # for the group, not for every user
    # The key of the Secret is the name of the file.
    name, path = re.findall(r"create secret generic (\S+) --from-file=(\S+)", typed)[0]
    assert (name, path) == (secret["secretName"], f"secrets/{file.name}")
    assert re.findall(r"secrets:(/\S+):ro", typed) == [str(file.parent)]
    before, _, _ = typed.partition(path)
    assert before.endswith(" > ")  # it is written before it is used


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_the_mistakes_have_the_reasons_and_messages_of_the_program(page: Path) -> None:
    _, _, section = page.read_text().partition("\n## Common mistakes\n")
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    header, *mistakes = rows
    assert header == ["mistake", "what you see"]
    assert len(mistakes) > 8
    for _, seen in mistakes:
        quoted = re.findall(r"`([^`]+)`", seen)
        if seen.startswith("`"):
            assert quoted[0] in REASONS
        elif "does not start" in seen or "log" in seen:
            assert quoted
            assert all(is_in_the_program(each) for each in quoted if each not in REASONS)


@pytest.mark.parametrize(
    "content",
    [b"", b"two words", b'"quoted"', b"\xff", b"x" * 65537, b"opaque", "a directory", "missing"],
    ids=repr,
)
def test_each_problem_of_a_token_file_is_explained(content: bytes | str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(JWT)
    text = "organizations: [{name: a, credentials: {identity_pool: pool-1, token_file: token}}]"
    (organization,) = config.parse(text, file="c", folder=tmp_path, environ={}).organizations
    file.unlink()
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "a directory":
        file.mkdir()
    assert isinstance(organization.credentials, config.PoolCredentials)
    with pytest.raises(TokenUnreadable) as raised:
        organization.credentials.subject_token.read()
    assert [each for each in messages("troubleshooting.md") if each in str(raised.value)]
