"""The pages about credentials: what a page configures, deploys and filters belongs together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter import config
from exporter.errors import CREDENTIALS_FAILURE_REASONS, REQUEST_FAILURE_REASONS
from tests.jwts import jwt
from tests.markdown import ROOT, relative_links
from tests.test_messages import is_in_the_program

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = ROOT / "docs"
KEYLESS = sorted((DOCS / "keyless").glob("*.md"))
KUBERNETES, AZURE, AWS, GITHUB, CLIENT = (
    DOCS / "keyless" / f"{name}.md"
    for name in ("kubernetes", "azure", "aws", "github-actions", "client-credentials")
)
TOKENS_OF_THE_PLATFORM = {
    AZURE: ("/var/run/secrets/azure/tokens/azure-identity-token", "api://AzureADTokenExchange"),
    AWS: ("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "sts.amazonaws.com"),
}
"""By page: the path of the token that a webhook mounts, and its audience."""
REASONS = {*CREDENTIALS_FAILURE_REASONS, *REQUEST_FAILURE_REASONS}
FILTER = re.compile(r'^ *filter += (".*"|join\(.*?^ *\]\))$', re.MULTILINE | re.DOTALL)
DECLARATION = re.compile(r'^(resource|data) "(\w+)" "(\w+)"', re.MULTILINE)
JWT = jwt({"sub": "exporter"})
SECRET = "a-secret-of-a-client"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


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


def pod(page: Path) -> dict[str, Any]:
    """Return the only pod of ``page``, with its metadata."""
    (found,) = (each for each in documents(page) if each.get("kind") in {"Pod", "Deployment"})
    if found["kind"] == "Deployment":
        template = found["spec"]["template"]
        assert found["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        return {"metadata": found["metadata"], "spec": template["spec"]}
    return found


def volumes_by_folder(page: Path) -> dict[str, dict[str, Any]]:
    """Return the volumes of the pod of ``page`` by the path at which they are mounted."""
    spec = pod(page)["spec"]
    (container,) = spec["containers"]
    volumes = {each["name"]: each for each in spec["volumes"]}
    mounts = container["volumeMounts"]
    assert {each["name"] for each in mounts} == set(volumes)
    assert not any("subPath" in each for each in mounts)  # it would never be renewed
    return {each["mountPath"]: volumes[each["name"]] for each in mounts}


def filters(page: Path) -> list[dict[str, str]]:
    """Return the claims that each filter of ``page`` pins, in their order."""
    found = []
    for block in blocks(page, "hcl"):
        for text in FILTER.findall(block):
            expression = text.replace('\\"', "'")
            assert "||" not in re.sub(r"\(claims\.aud[^()]*\)", "", expression)
            found.append(dict(re.findall(r"claims\.(\w+) == '([^']*)'", expression)))
            in_list = re.findall(r"'([^']*)' in claims\.aud", expression)
            assert set(in_list) <= {found[-1]["aud"]}
    return found


def subject(page: Path) -> str:
    one = pod(page)
    return (
        f"system:serviceaccount:{one['metadata']['namespace']}:{one['spec']['serviceAccountName']}"
    )


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
    found = filters(page)
    assert len(found) == len(credentials(page))
    assert all(set(each) in ({"aud", "sub"}, {"aud", "azp"}) for each in found)


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_the_terraform_files_refer_to_what_they_declare(page: Path) -> None:
    complete = [block for block in blocks(page, "hcl") if "resource " in block]
    assert complete
    for block in complete:
        declared = {
            f"{'data.' if kind == 'data' else ''}{type_}.{name}"
            for kind, type_, name in DECLARATION.findall(block)
        }
        used = re.findall(r"(?:data\.)?\b(?:confluent|azurerm|aws)_\w+\.\w+", block)
        assert declared - {"confluent_role_binding.api_keys_exporter"} == set(used)
        assert 'principal   = "User:${confluent_identity_pool.api_keys_exporter.id}"' in block
        assert 'role_name   = "OrganizationAdmin"' in block
        assert "crn_pattern = data.confluent_organization.this.resource_name" in block


@pytest.mark.parametrize("page", [KUBERNETES, AZURE, AWS], ids=lambda page: page.name)
def test_the_projected_token_is_the_one_that_the_filter_accepts(page: Path) -> None:
    file = Path(credentials(page)[0]["token_file"])
    (source,) = volumes_by_folder(page)[str(file.parent)]["projected"]["sources"]
    token = source["serviceAccountToken"]
    assert token["path"] == file.name
    assert token["expirationSeconds"] >= 600
    assert filters(page)[0] == {"aud": token["audience"], "sub": subject(page)}


@pytest.mark.parametrize("page", [AZURE, AWS], ids=lambda page: page.name)
def test_the_token_of_the_platform_is_the_one_that_the_filter_accepts(page: Path) -> None:
    path, audience = TOKENS_OF_THE_PLATFORM[page]
    assert credentials(page)[1]["token_file"] == path
    assert filters(page)[1] == {"aud": audience, "sub": subject(page)}


@pytest.mark.parametrize("page", [KUBERNETES, AZURE, AWS, CLIENT], ids=lambda page: page.name)
def test_the_pod_can_read_its_files(page: Path) -> None:
    """The configuration is where the image expects it, and the user is that of the image."""
    image = (ROOT / "Dockerfile").read_text()
    (folder,) = re.findall(r'^CMD \["--config\.file=(/\S+)/config\.yaml"\]$', image, re.MULTILINE)
    (user,) = re.findall(r"^USER (\d+):", image, re.MULTILINE)
    assert "configMap" in volumes_by_folder(page)[folder]
    context = pod(page)["spec"]["securityContext"]
    assert (context["runAsUser"], context["fsGroup"]) == (int(user), int(user))


def test_the_service_account_and_the_configuration_of_the_manifest_exist() -> None:
    names = {(each["kind"], each["metadata"]["name"]) for each in documents(KUBERNETES)}
    spec = pod(KUBERNETES)["spec"]
    assert ("ServiceAccount", spec["serviceAccountName"]) in names
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in names


def test_the_workflow_writes_the_token_that_the_filter_accepts() -> None:
    (workflow,) = (each for each in documents(GITHUB) if "jobs" in each)
    (job,) = workflow["jobs"].values()
    scripts = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    assert workflow["permissions"]["id-token"] == "write"
    (audience,) = re.findall(r"\$ACTIONS_ID_TOKEN_REQUEST_URL&audience=([\w-]+)", scripts)
    (pinned,) = filters(GITHUB)
    assert pinned["aud"] == audience
    assert pinned["sub"].endswith(f":environment:{job['environment']}")
    # The configuration names a file beside it.
    assert f'> "$RUNNER_TEMP/{credentials(GITHUB)[0]["token_file"]}"' in scripts
    assert 'cp config.yaml "$RUNNER_TEMP/config.yaml"' in scripts
    assert scripts.count('--config.file="$RUNNER_TEMP/config.yaml"') == 2


def test_the_script_for_ec2_writes_the_token_that_the_filter_accepts() -> None:
    (script,) = blocks(AWS, "sh")
    assert script.rstrip().endswith(f" {credentials(AWS)[2]['token_file']}")
    assert re.findall(r"--audience (\S+)", script) == [filters(AWS)[2]["aud"]]


def test_the_client_is_the_one_that_the_filter_accepts() -> None:
    entra, okta = credentials(AZURE)[2]["oauth"], credentials(CLIENT)[0]["oauth"]
    assert filters(AZURE)[2]["azp"] == entra["client_id"]
    assert entra["scope"] == f"api://{filters(AZURE)[2]['aud']}/.default"
    assert filters(CLIENT)[0]["sub"] == okta["client_id"]
    for page, client in ((AZURE, entra), (CLIENT, okta)):
        (issuer,) = re.findall(r'issuer += "(https://[^"]+)"', "\n".join(blocks(page, "hcl")))
        assert Path(client["token_url"]).parts[:3] == Path(issuer).parts[:3]


def test_the_client_secret_is_mounted_where_the_configuration_expects_it() -> None:
    file = Path(credentials(CLIENT)[0]["oauth"]["client_secret_file"])
    secret = volumes_by_folder(CLIENT)[str(file.parent)]["secret"]
    assert [each["path"] for each in secret["items"]] == [file.name]
    assert secret["defaultMode"] == 0o440  # for the group, not for every user
    (folder,) = re.findall(r"secrets:(/\S+):ro", CLIENT.read_text())
    assert folder == str(file.parent)


@pytest.mark.parametrize("page", KEYLESS, ids=lambda page: page.name)
def test_the_mistakes_have_the_reasons_and_messages_of_the_program(page: Path) -> None:
    _, _, section = page.read_text().partition("\n## Mistakes\n")
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
