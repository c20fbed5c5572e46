"""``python -m release`` twice gives the same bytes, and its artefacts are complete."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from markdown_it import MarkdownIt

from exporter.version import PROJECT_URL, __version__
from tests.markdown import ROOT, anchors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

# One worker builds for all tests.
pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("release")]

DISTRIBUTION = f"confluent_api_keys_exporter-{__version__}"
WHEEL, SDIST = f"{DISTRIBUTION}-py3-none-any.whl", f"{DISTRIBUTION}.tar.gz"
SBOM = f"confluent-api-keys-exporter-{__version__}.cdx.json"


def release(*flags: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    top = ["git", "rev-parse", "--show-toplevel"]
    found = subprocess.run(top, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode != 0 or not ROOT.samefile(found.stdout.rstrip("\n")):
        pytest.skip("a release is built from a git checkout")
    return subprocess.run(
        [sys.executable, "-m", "release", "--dirty", *flags],
        cwd=ROOT,
        env=os.environ | ({"PATH": path} if path else {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A release without chart and image, built twice: its folder, and what the command printed."""
    output = tmp_path_factory.mktemp("release") / "dist"
    done = release("--without=chart", "--without=image", "--check", f"--output={output}")
    assert (done.returncode, done.stderr) == (0, "")
    return output, done.stdout


@pytest.fixture(scope="module")
def folder(built: tuple[Path, str]) -> Path:
    return built[0]


@pytest.fixture(scope="module")
def metadata(folder: Path) -> Message:
    with zipfile.ZipFile(folder / WHEEL) as wheel:
        return email.message_from_bytes(wheel.read(f"{DISTRIBUTION}.dist-info/METADATA"))


def tracked(*patterns: str) -> set[str]:
    """Return the files that git tracks, with the contents of linked folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True
    )
    names: set[str] = set()
    for name in os.fsdecode(listed.stdout).rstrip("\0").split("\0"):
        path = ROOT / name
        inside = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
        names.update(str(each.relative_to(ROOT)) for each in inside if each.exists())
    return names


def test_each_artefact_is_printed_with_its_digest_and_size(built: tuple[Path, str]) -> None:
    folder, printed = built
    *lines, again, last = printed.splitlines()
    files = [folder / name for name in (WHEEL, SDIST, SBOM, "SHA256SUMS")]
    assert sorted(folder.iterdir()) == sorted(files)
    assert [line.split() for line in lines] == [
        [
            hashlib.sha256(file.read_bytes()).hexdigest(),
            f"{file.stat().st_size:,}",
            file.name,
        ]
        for file in files
    ]
    assert again == "Building again in another folder, time zone and umask."
    assert last == "Built twice with the same SHA256SUMS."
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True)


def test_a_release_without_programs_says_what_was_left_out(folder: Path, tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(git)
    done = release(f"--output={tmp_path}/dist", path=f"{tmp_path}/bin")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"release: the {part} was left out, because {program} is not installed. "
        f"Install it, or use --without={part}."
        for part, program in (("chart", "helm"), ("image", "buildah"))
    ]
    assert (tmp_path / "dist" / "SHA256SUMS").read_text() == (folder / "SHA256SUMS").read_text()


def targets(text: str) -> Iterator[str]:
    """Yield the links and pictures of Markdown, with those of HTML in it."""
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        for token in (block, *(block.children or ())):
            yield from (str(value) for key in ("href", "src") if (value := token.attrGet(key)))
            if token.type.startswith("html"):
                yield from re.findall(r'(?:href|src|srcset)="([^"]*)"', token.content)


def test_every_link_of_the_long_description_leads_to_a_file_of_the_release(
    metadata: Message,
) -> None:
    text = metadata.get_payload()
    assert isinstance(text, str)
    links = list(targets(text))
    assert [each for each in links if not re.match(r"https?://", each)] == []
    files = re.compile(rf"{re.escape(PROJECT_URL)}/(?:blob|raw)/v{re.escape(__version__)}/(.*)")
    found = [match[1] for each in links if (match := files.fullmatch(each))]
    assert len(found) > 20
    for target in found:
        path, _, anchor = target.partition("#")
        assert (ROOT / path).is_file(), target
        assert not anchor or anchor in anchors((ROOT / path).read_text()), target


def test_the_metadata_are_complete(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert metadata["Author"] == "confluent-api-keys-exporter maintainers"
    assert metadata["Author-Email"] is None
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    urls = dict(each.split(", ") for each in metadata.get_all("Project-URL", []))
    assert set(urls) == {"Homepage", "Documentation", "Repository", "Issues", "Changelog"}
    for url in urls.values():
        assert url == PROJECT_URL or url.startswith(f"{PROJECT_URL}/")
        if "/blob/main/" in url:
            assert (ROOT / url.rpartition("/blob/main/")[2]).is_file()
    classifiers = metadata.get_all("Classifier", [])
    versions = [each for each in classifiers if "Python :: 3." in each]
    assert [each.rpartition(" ")[2] for each in versions] == ["3.11", "3.12", "3.13", "3.14"]
    assert "Typing :: Typed" in classifiers
    assert "Topic :: System :: Monitoring" in classifiers


def test_the_wheel_holds_the_package_only(folder: Path) -> None:
    with zipfile.ZipFile(folder / WHEEL) as wheel:
        names = {each for each in wheel.namelist() if ".dist-info/" not in each}
    assert names == tracked("exporter")


def test_the_source_distribution_holds_the_repository(folder: Path) -> None:
    with tarfile.open(folder / SDIST) as archive:
        names = {each.removeprefix(f"{DISTRIBUTION}/") for each in archive.getnames()}
    assert names == tracked() | {"PKG-INFO"}


def test_the_source_distribution_builds_the_same_wheel(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(folder / SDIST) as archive:
        time = archive.getmember(f"{DISTRIBUTION}/pyproject.toml").mtime
        archive.extractall(tmp_path, filter="data")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=tmp_path / DISTRIBUTION,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(time)},
        check=True,
    )
    assert (tmp_path / WHEEL).read_bytes() == (folder / WHEEL).read_bytes()


def test_the_installed_wheel_is_the_release(folder: Path, tmp_path: Path) -> None:
    """The dependencies are those of the tests."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", f"--python={environment}/bin/python", "install"),
            *("--quiet", "--no-index", "--no-deps", folder / WHEEL),
        ],
        check=True,
    )
    done = subprocess.run(
        [environment / "bin" / "confluent-api-keys-exporter", "--version"],
        cwd=tmp_path,
        env={"PYTHONPATH": sysconfig.get_path("purelib"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["confluent-api-keys-exporter", __version__]


def test_the_sbom_lists_the_locked_packages_and_their_dependencies(folder: Path) -> None:
    text = (folder / SBOM).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    sbom = json.loads(text)
    assert sbom["specVersion"] == "1.6"
    project = "confluent-api-keys-exporter"
    assert sbom["metadata"]["component"]["purl"] == f"pkg:pypi/{project}@{__version__}"
    pins = re.findall(
        r"^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE
    )
    assert sorted(each["purl"] for each in sbom["components"]) == sorted(
        f"pkg:pypi/{name}@{version}" for name, version in pins
    )
    assert {each["name"]: each["version"] for each in sbom["components"]} == dict(pins)
    assert [each["name"] for each in sbom["components"] if not each.get("licenses")] == []
    depends = {each["ref"]: set(each.get("dependsOn", ())) for each in sbom["dependencies"]}
    direct = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert depends[project] == {each.partition(">=")[0].lower() for each in direct}
    assert depends["uvicorn"] == {"click", "h11"}
    assert depends["httpx"] == {"anyio", "certifi", "httpcore", "idna"}  # not those of its extras
