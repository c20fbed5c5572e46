"""Chart, image and source of a release, without a whole build."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from release.__main__ import _check
from release.chart import build_chart, write_reproducible
from release.checksums import remove_release
from release.commands import ReleaseError
from release.distributions import build_distributions
from release.image import build_image
from release.oci import write_archive
from release.sbom import build_sbom
from release.source import Source, export
from tests.programs import go_program

if TYPE_CHECKING:
    from collections.abc import Iterable

TIME = 1_700_000_000


def source_with_chart(folder: Path, version: str) -> Source:
    chart = folder / "charts" / "confluent-api-keys-exporter"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: {chart.name}\nversion: {version}\nappVersion: {version}\n"
    )
    (chart / "templates" / "map.yaml").write_text("kind: ConfigMap\n")
    (folder / "rules").mkdir()
    (folder / "rules" / "alerts.yml").write_text("groups: []\n")
    (chart / "rules").symlink_to("../../rules")
    return Source(folder=folder, version="1.2.3", revision="abc", time=TIME)


@pytest.mark.integration
def test_the_chart_package_holds_the_linked_files_at_the_time_of_the_commit(tmp_path: Path) -> None:
    go_program("helm")
    source = source_with_chart(tmp_path / "source", "1.2.3")
    (package,) = build_chart(source, tmp_path)
    assert package == tmp_path / "confluent-api-keys-exporter-1.2.3.tgz"
    with tarfile.open(package) as archive:
        assert {entry.mtime for entry in archive} == {TIME}
        assert archive.getnames() == [
            f"confluent-api-keys-exporter/{name}"
            for name in ("Chart.yaml", "rules/alerts.yml", "templates/map.yaml")
        ]
        rules = archive.extractfile("confluent-api-keys-exporter/rules/alerts.yml")
        assert rules is not None
        assert rules.read() == b"groups: []\n"


@pytest.mark.integration
def test_a_chart_of_another_version_is_rejected(tmp_path: Path) -> None:
    go_program("helm")
    source = source_with_chart(tmp_path / "source", "1.2.2")
    with pytest.raises(ReleaseError, match=r"exporter-1\.2\.2\.tgz instead of .*-1\.2\.3\.tgz"):
        build_chart(source, tmp_path)


def package(path: Path, names: Iterable[str], *, time: int) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.size, entry.uid, entry.uname = time, len(name), time, path.name
            archive.addfile(entry, io.BytesIO(name.encode()))
    return path


def test_packages_that_differ_in_order_owners_and_times_become_the_same(tmp_path: Path) -> None:
    first = package(tmp_path / "1.tgz", ["a/Chart.yaml", "a/values.yaml"], time=1)
    second = package(tmp_path / "2.tgz", ["a/values.yaml", "a/Chart.yaml"], time=2)
    for each in (first, second):
        write_reproducible(each, each.with_suffix(".out"), time=TIME)
    assert first.with_suffix(".out").read_bytes() == second.with_suffix(".out").read_bytes()
    with tarfile.open(first.with_suffix(".out")) as archive:
        entry = archive.getmember("a/values.yaml")
        assert (entry.uid, entry.uname, entry.mode, entry.mtime) == (0, "", 0o644, TIME)


def pushed_image(folder: Path, *, container: str) -> Path:
    """Write an image of one layer as buildah pushes it to a folder."""
    config = {
        "created": "2023-11-14T22:13:20Z",
        "container": container,
        "container_config": {"Hostname": container},
        "architecture": "arm64",
        "os": "linux",
        "config": {
            "Hostname": container,
            "User": "65532:65532",
            "Entrypoint": ["exporter"],
            "Healthcheck": {"Test": ["CMD", "check"]},
            "Labels": {"org.opencontainers.image.version": "1.2.3"},
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:00"]},
        "history": [{"created_by": "COPY"}],
    }
    folder.mkdir()
    blobs = json.dumps(config).encode(), b"layer"
    kinds = "container.image.v1+json", "image.rootfs.diff.tar.gzip"
    described = []
    for blob, kind in zip(blobs, kinds, strict=True):
        digest = hashlib.sha256(blob).hexdigest()
        (folder / digest).write_bytes(blob)
        media_type = f"application/vnd.docker.{kind}"
        described.append({"mediaType": media_type, "size": len(blob), "digest": f"sha256:{digest}"})
    manifest = {"schemaVersion": 2, "config": described[0], "layers": described[1:]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def archived(tmp_path: Path, container: str) -> Path:
    output = tmp_path / f"{container}-output"
    output.mkdir()
    pushed = pushed_image(tmp_path / container, container=container)
    return write_archive(pushed, output, name="exporter", version="1.2.3", time=TIME)


def test_the_image_archive_names_its_blobs_by_their_digests(tmp_path: Path) -> None:
    path = archived(tmp_path, "container1")
    assert path.name == "exporter-1.2.3-linux-arm64.oci.tar"
    with tarfile.open(path) as archive:
        contents = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr] # all are files
        assert {entry.mtime for entry in archive} == {TIME}

    def blob(descriptor: dict[str, Any]) -> bytes:
        content = contents[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
        assert len(content) == descriptor["size"]
        return content

    assert json.loads(contents["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(contents["index.json"])["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "exporter:1.2.3"}
    assert entry["platform"] == {"architecture": "arm64", "os": "linux"}
    manifest = json.loads(blob(entry))
    assert [blob(each) for each in manifest["layers"]] == [b"layer"]
    assert {each["mediaType"] for each in manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    settings = json.loads(blob(manifest["config"]))["config"]
    assert settings["Healthcheck"] == {"Test": ["CMD", "check"]}
    assert settings["Labels"] == {"org.opencontainers.image.version": "1.2.3"}
    (for_docker,) = json.loads(contents["manifest.json"])
    assert for_docker["RepoTags"] == ["exporter:1.2.3"]
    assert for_docker["Config"] in contents
    assert [contents[each] for each in for_docker["Layers"]] == [b"layer"]


def test_the_image_archive_does_not_depend_on_the_name_of_the_container(tmp_path: Path) -> None:
    first, second = archived(tmp_path, "container1"), archived(tmp_path, "container2")
    assert first.read_bytes() == second.read_bytes()


BUILDAH = """\
#!/bin/sh
echo "$*" >> "{folder}/commands"
for argument; do
  case $argument in
    --iidfile=*) echo image-id > "${{argument#*=}}" ;;
    dir:*) cp -r "{folder}/pushed" "${{argument#*:}}" ;;
  esac
done
"""


@pytest.mark.integration
def test_the_image_is_built_at_the_time_of_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script in place of buildah, which needs the base image, writes down its arguments."""
    pushed_image(tmp_path / "pushed", container="container1")
    program = tmp_path / "bin" / "buildah"
    program.parent.mkdir()
    program.write_text(BUILDAH.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    source = Source(folder=tmp_path, version="1.2.3", revision="abc", time=TIME)
    (archive,) = build_image(source, tmp_path, build_args=["PYTHON_IMAGE=mirror"])
    assert archive.name == "confluent-api-keys-exporter-1.2.3-linux-arm64.oci.tar"
    build, push, remove = (tmp_path / "commands").read_text().splitlines()
    assert set(build.split()) >= {
        "--format=docker",
        "--no-cache",
        f"--timestamp={TIME}",
        "--build-arg=VERSION=1.2.3",
        "--build-arg=REVISION=abc",
        "--build-arg=PYTHON_IMAGE=mirror",
    }
    assert push.startswith("push --format=v2s2 image-id dir:")
    assert remove == "rmi image-id"


def project(folder: Path, *, readme: bool, packages: tuple[str, ...]) -> Source:
    """Write a project with empty packages."""
    for name in packages:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "README.md").write_text("# A\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "a"\nversion = "1"\n{"readme = " if readme else "#"}"README.md"\n'
        f"[tool.hatch.build.targets.wheel]\npackages = {json.dumps(packages)}\n"
    )
    return Source(folder=folder, version="1", revision="abc", time=TIME)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("readme", "packages", "problem"),
    [
        (False, ("a",), r"twine check .*`long_description` missing"),
        (True, ("a", "b"), r"check_wheel_contents .*W009: Wheel contains multiple toplevel"),
    ],
)
def test_distributions_that_a_package_index_would_dislike_are_rejected(
    *, readme: bool, packages: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    source = project(tmp_path / "source", readme=readme, packages=packages)
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(ReleaseError, match=f"(?s){problem}"):
        build_distributions(source, output)


def test_an_sbom_of_other_packages_than_the_locked_ones_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text(
        "pyyaml==0.0.1 \\\n    --hash=sha256:00\n"
    )
    source = Source(folder=tmp_path, version="1.2.3", revision="abc", time=TIME)
    with pytest.raises(ReleaseError, match=r"^pyyaml is \S+ in this environment, and 0\.0\.1 in"):
        build_sbom(source, tmp_path)


def test_a_second_build_with_other_bytes_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_again(command: list[str], **_: object) -> str:
        (output,) = (each.partition("=")[2] for each in command if each.startswith("--output="))
        (Path(output) / "SHA256SUMS").write_text("11  a.whl\n22  b.tgz\n")
        return ""

    (tmp_path / "SHA256SUMS").write_text("11  a.whl\n21  b.tgz\n")
    monkeypatch.setattr("release.__main__.run", build_again)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where the other files stay
    flags = Namespace(output=tmp_path, build_arg=[], dirty=False)
    with pytest.raises(ReleaseError, match=r"^not reproducible: b\.tgz\. Compare "):
        _check(flags, without=[])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with one commit."""
    folder = tmp_path / "checkout"
    (folder / "exporter").mkdir(parents=True)
    (folder / "exporter" / "version.py").write_text('__version__ = "1.2.3"\n')
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    (folder / "link").symlink_to("run")
    author = ("-c", "user.name=A", "-c", "user.email=a@b.example")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "First")):
        subprocess.run(
            ["git", *command],
            cwd=folder,
            check=True,
            env=os.environ | {"GIT_COMMITTER_DATE": f"{TIME} +0900"},
        )
    return folder


@pytest.mark.integration
def test_the_source_holds_the_tracked_files_only(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (checkout / "secret.yaml").write_text("secret")
    source = export(checkout, tmp_path / "source", dirty=False)
    names = {str(each.relative_to(source.folder)) for each in source.folder.rglob("*")}
    assert names == {"exporter", "exporter/version.py", "run", "link"}
    assert (source.folder / "run").stat().st_mode & 0o777 == 0o755
    assert (source.folder / "link").is_symlink()
    head = (checkout / ".git" / (checkout / ".git" / "HEAD").read_text()[5:].strip()).read_text()
    assert (source.version, source.revision, source.time) == ("1.2.3", head.strip(), TIME)


@pytest.mark.integration
def test_uncommitted_changes_are_rejected_or_marked(checkout: Path, tmp_path: Path) -> None:
    (checkout / "run").write_text("#!/bin/bash\n")
    with pytest.raises(ReleaseError, match=r"^files differ from the commit: run\. Commit"):
        export(checkout, tmp_path / "source", dirty=False)
    source = export(checkout, tmp_path / "source", dirty=True)
    assert source.revision.endswith("-dirty")
    assert (source.folder / "run").read_text() == "#!/bin/bash\n"


@pytest.mark.integration
def test_a_link_to_a_file_of_this_machine_is_rejected(checkout: Path, tmp_path: Path) -> None:
    (checkout / "link").unlink()
    (checkout / "link").symlink_to("../secret")
    with pytest.raises(ReleaseError, match=r"^link leads out of the repository\."):
        export(checkout, tmp_path / "source", dirty=True)


@pytest.mark.integration
def test_a_folder_without_git_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"(?s)not a git repository.*Clone the repository\."):
        export(tmp_path, tmp_path / "source", dirty=False)


@pytest.mark.integration
def test_a_source_archive_inside_of_another_clone_is_rejected(
    checkout: Path, tmp_path: Path
) -> None:
    archive = checkout / "unpacked"
    archive.mkdir()
    with pytest.raises(ReleaseError, match=r"is a folder in the git clone .*Clone the repository"):
        export(archive, tmp_path / "source", dirty=False)


def test_only_the_files_of_an_earlier_release_are_removed(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text("00  old-0.1.0.tar.gz\n")
    (tmp_path / "old-0.1.0.tar.gz").write_text("")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ReleaseError, match=r"contains other files: notes\.txt"):
        remove_release(tmp_path)
    (tmp_path / "notes.txt").unlink()
    remove_release(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_files_in_the_folder_are_removed(tmp_path: Path) -> None:
    """Somebody may build into a folder with a downloaded ``SHA256SUMS``."""
    other = tmp_path / "other"
    other.write_text("")
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  ../other\n{'0' * 64}  {other}\n")
    remove_release(folder)
    assert (other.exists(), list(folder.iterdir())) == (True, [])
