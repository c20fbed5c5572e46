"""The workflows are valid, pinned and least-privileged, and publish only what passed the checks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import (  # type: ignore[import-untyped] # it has no types
    get_builtin_schema,
)
from jsonschema.validators import validator_for

from tests.programs import ROOT, go_program

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
LOCAL = re.compile(r"\./\.github/workflows/[\w-]+\.yml")
SIGNS = {
    ("image.yml", "image"),
    ("release.yml", "attest"),
    ("release.yml", "chart"),
    ("release.yml", "image"),
    ("release.yml", "index"),
}
WRITES = {
    ("image.yml", "image"): {"attestations", "id-token", "packages"},
    ("locks.yml", "propose"): {"actions", "contents", "pull-requests"},
    ("release.yml", "attest"): {"attestations", "id-token"},
    ("release.yml", "index"): {"id-token"},
    ("release.yml", "image"): {"attestations", "id-token", "packages"},
    ("release.yml", "chart"): {"id-token", "packages"},
    ("release.yml", "github"): {"contents"},
}


def load(file: Path) -> dict[str, Any]:
    # The base loader keeps the key "on" and all versions as text.
    workflow: dict[str, Any] = yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: S506
    return workflow


JOBS = {(file.name, name): job for file in WORKFLOWS for name, job in load(file)["jobs"].items()}
STEPS = [(key, step) for key, job in JOBS.items() for step in job.get("steps", [])]
PAGES = "releasing", "verifying"
RENOVATE = json.loads((ROOT / "renovate.json").read_text())


def test_every_action_is_pinned_to_a_commit_with_its_version() -> None:
    uses = [
        line.partition("uses:")[2].strip()
        for file in WORKFLOWS
        for line in file.read_text().splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert len(uses) == sum("uses" in step for _, step in STEPS) + sum(
        "uses" in job for job in JOBS.values()
    )
    assert [each for each in uses if not (PINNED.fullmatch(each) or LOCAL.match(each))] == []
    # One action in two versions means that an update missed a file.
    actions = {each for each in uses if PINNED.fullmatch(each)}
    assert len({each.partition("@")[0] for each in actions}) == len(actions)


def test_every_image_that_a_build_uses_is_pinned_by_digest() -> None:
    (image,) = (load(file) for file in WORKFLOWS if file.name == "image.yml")
    options = {
        value
        for step in image["jobs"]["image"]["steps"]
        for name, value in step.get("with", {}).items()
        if name in {"image", "driver-opts", "sbom"}
    }
    assert len(options) == 3
    assert [each for each in options if not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", each)] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_grants_nothing_and_trusts_no_pull_request(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(workflow["on"])
    for name, job in workflow["jobs"].items():
        granted = {scope for scope, access in job["permissions"].items() if access == "write"}
        assert granted == WRITES.get((file.name, name), set()), name
        if "uses" not in job:
            assert 1 <= int(job["timeout-minutes"]) <= 60, name


def test_scripts_get_values_from_the_environment_only() -> None:
    scripts = [step["run"] for _, step in STEPS if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_no_job_keeps_its_token_in_the_checkout() -> None:
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert {step["with"]["persist-credentials"] for step in checkouts} == {"false"}


def test_a_job_that_can_sign_installs_no_package() -> None:
    assert {key for key, job in JOBS.items() if "id-token" in job["permissions"]} == SIGNS
    for key, step in STEPS:
        if key in SIGNS:
            assert not re.search(r"\b(make|pip|npm|\.ci/run)\b", step.get("run", "")), key


def test_the_tested_versions_of_python_are_the_declared_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    matrix = JOBS["checks.yml", "checks"]["strategy"]["matrix"]["python"]
    assert matrix == declared
    assert project["requires-python"] == f">={matrix[0]}"


@pytest.mark.parametrize("name", ["build", "attest", "index", "image", "chart", "github"])
def test_nothing_is_built_or_published_before_the_checks_pass(name: str) -> None:
    needed, before = name, set()
    while needed:
        needed = JOBS["release.yml", needed].get("needs", "")
        before.add(needed)
    assert {"notes", "checks"} <= before
    assert all("if" not in JOBS["release.yml", each] for each in before if each)


def test_the_package_index_is_protected_by_the_environment() -> None:
    assert JOBS["release.yml", "index"]["environment"] == "release"
    (publish,) = (s for k, s in STEPS if "pypi-publish" in s.get("uses", ""))
    assert publish["with"] == {"packages-dir": "packages", "attestations": "true"}  # no password


def step_of(file: str, name: str, text: str) -> Any:
    """Return the only step of a job whose action or script contains ``text``."""
    steps = JOBS[file, name]["steps"]
    (step,) = (each for each in steps if text in each.get("uses", "") + each.get("run", ""))
    return step


def test_every_file_of_the_release_is_attested() -> None:
    attest = step_of("release.yml", "attest", "attest-build-provenance@")
    assert attest["with"]["subject-path"] == "dist/*"


def test_the_image_is_attested_and_signed_by_its_digest() -> None:
    names, digest = "${{ steps.names.outputs.image }}", "${{ steps.build.outputs.digest }}"
    assert step_of("image.yml", "image", "build-push-action@")["id"] == "build"
    attested = step_of("image.yml", "image", "attest-build-provenance@")["with"]
    assert (attested["subject-name"], attested["subject-digest"]) == (names, digest)
    assert attested["push-to-registry"] == "true"
    sign = step_of("image.yml", "image", "cosign sign ")
    assert sign["env"] == {"REFERENCE": f"{names}@{digest}"}
    assert sign["run"] == 'cosign sign --yes "$REFERENCE"'


def test_the_chart_is_signed_by_its_digest() -> None:
    *_, last = step_of("release.yml", "chart", "helm push ")["run"].splitlines()
    assert re.fullmatch(r'cosign sign --yes "\$registry/[a-z-]+@\$\{digest:\?.*\}"', last)


def test_the_pages_for_maintainers_and_users_name_the_jobs_and_workflows() -> None:
    releasing, verifying = ((ROOT / f"docs/{name}.md").read_text() for name in PAGES)
    _, _, table = releasing.partition("| job | does | token can |\n|---|---|---|\n")
    rows = [line.split(" | ")[0] for line in table.partition("\n\n")[0].splitlines()]
    jobs = [job["name"] for (file, _), job in JOBS.items() if file == "release.yml"]
    assert rows == [f"| {name}" for name in jobs]
    named = set(re.findall(r"[`/]([a-z]+\.yml)\b", verifying))
    assert named == {file for file, _ in SIGNS}


def test_releases_use_no_cache_that_another_workflow_could_fill() -> None:
    for (file, _), step in STEPS:
        if file in {"release.yml", "image.yml"}:
            assert not step.get("uses", "").startswith("actions/cache@")
            options = step.get("with", {})
            assert {options[each] for each in options if "cache" in each} <= {"false"}
            if step.get("uses", "").startswith(("actions/setup-go@", "docker/setup-")):
                assert any("cache" in each for each in options)


def test_updates_are_proposed_for_every_kind_of_dependency() -> None:
    """Actions, images and tools by Renovate, packages by the workflow *Locks*."""
    files = {
        "dockerfile": "Dockerfile",
        "docker-compose": "compose.yaml",
        "github-actions": ".github/workflows/checks.yml",
        "custom.regex": ".ci/run",
    }
    assert set(RENOVATE["enabledManagers"]) == files.keys()
    assert all((ROOT / each).is_file() for each in files.values())
    assert RENOVATE["pinDigests"] is True
    locks = load(ROOT / ".github/workflows/locks.yml")
    assert len(locks["on"]["schedule"]) == 1
    assert "make lock\n" in step_of("locks.yml", "lock", "make ")["run"]


def test_renovate_finds_every_tool_and_image_of_the_workflows() -> None:
    tools, images = (
        re.compile(each["matchStrings"][0].replace("(?<", "(?P<"))
        for each in RENOVATE["customManagers"]
    )
    text = "".join(file.read_text() for file in [*WORKFLOWS, ROOT / ".ci" / "run"])
    found = {(match["depName"], match["currentValue"]) for match in tools.finditer(text)}
    assert sorted(name for name, _ in found) == ["github.com/rhysd/actionlint", "helm.sh/helm/v3"]
    assert len(tools.findall(text)) == text.count("go install ")
    image = next(file for file in WORKFLOWS if file.name == "image.yml").read_text()
    assert {match["depName"] for match in images.finditer(image)} == {
        "docker/buildkit-syft-scanner",
        "moby/buildkit",
        "tonistiigi/binfmt",
    }
    assert image.count("@sha256:") == 3


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: PLW1510


@pytest.mark.parametrize(
    ("name", "files"),
    [("vendor.github-workflows", WORKFLOWS), ("vendor.renovate", [ROOT / "renovate.json"])],
)
def test_the_configuration_matches_its_schema(name: str, files: list[Path]) -> None:
    schema = get_builtin_schema(name)
    validator = validator_for(schema)(schema)
    for file in files:
        document = yaml.safe_load(file.read_text())
        if True in document:  # YAML 1.1 reads the key "on" as a boolean
            document["on"] = document.pop(True)
        assert [error.message for error in validator.iter_errors(document)] == [], file


@pytest.mark.integration
def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    done = run(zizmor, "--color=never", "--offline", "--pedantic", "--strict-collection", ".github")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("No findings")


@pytest.mark.integration
def test_actionlint_finds_nothing() -> None:
    done = run(go_program("actionlint"), *WORKFLOWS)
    assert (done.returncode, done.stdout) == (0, "")
