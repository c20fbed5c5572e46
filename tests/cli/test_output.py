"""``--output``: regular files are replaced, everything else is written to.

Every special file here belongs to its test. None is the machine's: a failing test must not be able
to replace /dev/null.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.cli.output import open_output
from exporter.errors import StartUpError
from tests.cli.api import ENVIRON, api
from tests.programs import EXPORTER, ROOT, TIMEOUT, environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

TOTAL = 'confluent_cloud_organization_api_keys{organization="acme"} 5.0\n'
NULL, FULL = os.makedev(1, 3), os.makedev(1, 7)
"""The devices that /dev/null and /dev/full are, on Linux."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("output") / "config.yaml"
    with api(keys=5) as url:
        path.write_text(
            f"defaults: {{url: {url}, names: {{enabled: false}}, quotas: {{enabled: false}}}}\n"
            "organizations: [{name: acme}]\n"
        )
        yield path


def once(config: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return run(
        "once",
        f"--config.file={config}",
        f"--output={output}",
        "--log.level=error",
        environ=ENVIRON,
    )


def device(path: Path, number: int) -> Path:
    """Make a device that is like the machine's, but in a folder of the test."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, number)
        path.open("wb").close()
    except PermissionError:
        pytest.skip("only root may make and use device nodes, and not in every container")
    return path


def test_a_new_file_has_the_mode_that_the_umask_leaves(config: Path, tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        target = tmp_path / f"{umask:o}.prom"
        done = subprocess.run(
            [*EXPORTER, "once", f"--config.file={config}", f"--output={target}"],
            env=os.environ | ENVIRON,
            cwd=ROOT,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            umask=umask,
        )
        assert (done.returncode, done.stdout) == (0, b"")
        assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_file_is_replaced_and_keeps_its_mode(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "keys.prom"
    target.write_text("old")
    target.chmod(0o640)
    with target.open() as opened_before:
        done = once(config, target)
        assert opened_before.read() == "old"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert TOTAL in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["keys.prom"]


def test_a_file_of_another_user_stays_theirs(config: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    target = tmp_path / "keys.prom"
    target.touch(0o600)
    os.chown(target, 65534, 65534)
    assert once(config, target).returncode == 0
    found = target.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65534, 0o600)


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_leads_to_the_output(
    config: Path, tmp_path: Path, *, exists: bool
) -> None:
    target, link = tmp_path / "there" / "keys.prom", tmp_path / "link"
    target.parent.mkdir()
    if exists:
        target.write_text("old")
    link.symlink_to("there/keys.prom")
    assert once(config, link).returncode == 0
    assert link.readlink() == Path("there/keys.prom")
    assert not target.is_symlink()
    assert TOTAL in target.read_text()


def test_a_fifo_is_written_to(config: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = once(config, fifo)
        read = os.read(reader, 65_536).decode()  # what a pipe holds
    finally:
        os.close(reader)
    assert done.returncode == 0
    assert TOTAL in read
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


def test_a_fifo_without_a_reader_is_an_error_at_once(config: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = once(config, fifo)
    assert done.returncode == 1
    assert done.stderr == (
        f"confluent-api-keys-exporter: cannot write {fifo}: no process reads this FIFO. Start its"
        " reader first\n"
    )
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


def test_a_socket_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        with (
            pytest.raises(StartUpError, match=r"^cannot write .*: No such device or address$"),
            open_output(path),
        ):
            pass
    assert path.is_socket()


def test_a_link_to_the_standard_output(config: Path, tmp_path: Path) -> None:
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")  # as /dev/stdout does, which is the machine's
    done = once(config, link)
    assert done.returncode == 0
    assert link.is_symlink()
    assert TOTAL in done.stdout


def test_a_device_is_written_to_and_stays_a_device(config: Path, tmp_path: Path) -> None:
    null = device(tmp_path / "null", NULL)
    assert once(config, null).returncode == 0
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["null"]


def test_a_device_without_space_is_an_error(config: Path, tmp_path: Path) -> None:
    full = device(tmp_path / "full", FULL)
    done = once(config, full)
    assert done.returncode == 1
    assert done.stderr == (
        f"confluent-api-keys-exporter: cannot write {full}: No space left on device\n"
    )
    assert stat.S_ISCHR(full.lstat().st_mode)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/keys.prom", "No such file or directory"),
        (".", "Is a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("dangling", "No such file or directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_unwritable_output_is_an_error_before_any_request(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("missing/keys.prom")
    config = tmp_path / "config.yaml"
    config.write_text("organizations: [{name: acme, url: http://127.0.0.1:9}]\n")
    target = tmp_path / name
    done = once(config, target)
    assert done.returncode == 1
    assert done.stderr == f"confluent-api-keys-exporter: cannot write {target}: {reason}\n"


@pytest.mark.parametrize(
    "error", [ConnectionResetError("peer"), OSError(24, "Too many open files")]
)
def test_other_errors_are_not_blamed_on_the_output_file(tmp_path: Path, error: OSError) -> None:
    target = tmp_path / "keys.prom"
    target.write_text("old")
    with pytest.raises(OSError, match=str(error.args[-1])) as raised, open_output(target):
        raise error
    assert raised.value is error
    assert target.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["keys.prom"]


_TOO_MANY_FILES = """
import errno, os, sys, exporter.app, exporter.cli

async def aclose(exporter):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

exporter.app.Exporter.aclose = aclose
sys.exit(exporter.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("flags", [[], ["--output=keys.prom"]])
@pytest.mark.parametrize("name", ["once", "report"])
def test_an_error_outside_of_the_output_names_no_output(
    config: Path, tmp_path: Path, name: str, flags: list[str]
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _TOO_MANY_FILES,
            name,
            f"--config.file={config}",
            "--log.level=error",
            *flags,
        ],
        env=environment(ENVIRON),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "confluent-api-keys-exporter: unexpected error: [Errno 24] Too many open files\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_error_at_the_end_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "keys.prom"
    target.write_text("old")
    monkeypatch.setattr(os, "fchmod", refuse)
    with (
        pytest.raises(StartUpError, match=f"^cannot write {target}: No space left on device$"),
        open_output(target) as output,
    ):
        output.write(b"new")
    assert target.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["keys.prom"]
