"""The configurations that exporter-toolkit rejects, at the start and with ``--config.check``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.api import ENVIRON
from tests.config.web_files import write_files
from tests.programs import run

pytestmark = pytest.mark.integration

INVALID = Path(__file__).parents[1] / "config" / "invalid" / "web"
NAMES = {
    "invalid config yml (invalid structure)": "list",
    "invalid config yml (invalid key)": "junk-key",
    "invalid config yml (cert path empty)": "cert-path-empty",
    "invalid config yml (cert empty)": "cert-empty",
    "invalid config yml (key path empty)": "key-path-empty",
    "invalid config yml (key empty)": "key-empty",
    "invalid config yml (cert path and key path empty)": "cert-and-key-paths-empty",
    "invalid config yml (cert path invalid)": "cert-path-invalid",
    "invalid config yml (key path invalid)": "key-path-invalid",
    "invalid config yml (cert path and key path invalid)": "cert-and-key-paths-invalid",
    "invalid config yml (invalid ClientAuth)": "client-ca-without-policy",
    "invalid config yml (invalid ClientCAs filepath)": "client-ca-path-invalid",
    "invalid config yml (invalid user list)": "user-hash",
    "invalid config yml (bad cipher)": "cipher-unknown",
    "invalid config yml (bad curves)": "curve-unknown",
    "invalid config yml (bad TLS version)": "tls-version-unknown",
    "path to config yml invalid": None,
}
"""exporter-toolkit's ``TestYAMLFiles``: our configuration by the name of its test."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(INVALID, folder, dirs_exist_ok=True)
    write_files(folder)
    (folder / "config.yaml").write_text("organizations: [{name: acme}]\n")
    return folder


@pytest.mark.parametrize("check", [(), ("--config.check",)], ids=["run", "validate"])
@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_that_exporter_toolkit_rejects(
    folder: Path, name: str, check: tuple[str, ...]
) -> None:
    chosen = NAMES[name]
    web = folder / f"{chosen or 'none'}.yaml"
    expected = "no such file; set `--web.config.file` to an existing file"
    if chosen is not None:
        expected = (INVALID / f"{chosen}.txt").read_text().splitlines()[0]
    done = run(
        f"--config.file={folder / 'config.yaml'}",
        f"--web.config.file={web}",
        "--web.listen-address=127.0.0.1:0",
        *check,
        environ=ENVIRON,
    )
    assert done.returncode == 1
    assert f"{web}:" in done.stderr
    assert expected in done.stderr
    assert "msg=listening" not in done.stderr


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_configuration_is_valid(folder: Path, text: str) -> None:
    web = folder / "empty.yaml"
    web.write_text(text)
    files = (f"--config.file={folder / 'config.yaml'}", f"--web.config.file={web}")
    done = run(*files, "--config.check", environ=ENVIRON)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("valid, no TLS, no users\n")
