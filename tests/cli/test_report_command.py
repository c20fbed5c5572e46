"""``report`` as a process: flags, exit codes, and what goes to which stream."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.inventory import POLICIES
from tests.programs import (
    EXPORTER,
    ROOT,
    TIMEOUT,
    environment_of_a_terminal,
    printed,
    run,
    started,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ENVIRON = {
    "CONFLUENT_CLOUD_API_KEY": "SIMULATEDADMIN01",
    "CONFLUENT_CLOUD_API_SECRET": "simulated-secret-of-an-organization-admin",
    "POOR_KEY": "SIMULATEDNOROLE1",
    "POOR_SECRET": "simulated-secret-of-somebody-without-a-role",
}
OWN = "--owner=sa-exprtr"  # of the key that the simulator adds, 30 days old


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("simulate") / "log"
    command = (*EXPORTER, "simulate", "--web.listen-address=127.0.0.1:0", "--keys=150", "--speed=0")
    with started(*command, "--rate-limit=none", log=log):
        yield printed(log, r"listens on (http://\S+);")


@pytest.fixture
def good(tmp_path: Path, api: str) -> str:
    path = tmp_path / "good.yaml"
    path.write_text(
        f"organizations:\n  - {{name: acme, url: {api}, names: {{users: true}},"
        " policy: {user_owned: false}}\n"
    )
    return f"--config.file={path}"


@pytest.fixture
def mixed(tmp_path: Path, api: str) -> str:
    path = tmp_path / "mixed.yaml"
    path.write_text(
        f"defaults: {{url: {api}, names: {{enabled: false}}}}\n"
        "organizations:\n"
        "  - name: poor\n"
        "    credentials: {api_key_env: POOR_KEY, api_secret_env: POOR_SECRET}\n"
        "  - name: acme\n"
    )
    return f"--config.file={path}"


def report(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return run("report", *arguments, environ=ENVIRON | environ)


def test_ages_that_exclude_each_other_are_wrong_usage() -> None:
    done = run("report", "--min-age=90d", "--max-age=7d")
    assert done.returncode == 2
    assert "--min-age is greater than --max-age" in done.stderr


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        (
            "--policy=max_age,bogus",
            "'bogus' is not a policy. Expected one of max_age, expires_within, ",
        ),
        ("--fail-on=MAX_AGE", "'MAX_AGE' is not a policy"),
        ("--policy=", "'' has an empty entry"),
        ("--owner=sa-1,", "'sa-1,' has an empty entry"),
        ("--min-age=90", "'90' is not a valid duration"),
        ("--max-age=200y", "'200y' is too long"),
        ("--format=xml", "invalid choice: 'xml'"),
    ],
)
def test_wrong_usage(flag: str, says: str) -> None:
    done = report(flag)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Try: confluent-api-keys-exporter report --help" in done.stderr


def test_the_help_names_every_policy() -> None:
    text = report("--help").stdout
    assert all(policy in text for policy in POLICIES)


def test_json_on_standard_output_and_nothing_else(good: str) -> None:
    done = report(good, "--format=json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    assert len(rows) == 150
    own = next(row for row in rows if row["api_key_id"] == "SIMULATEDADMIN01")
    assert own["age_days"] == 30
    assert own["owner_id"] == "sa-exprtr"
    assert own["display_name"] == "api-keys-exporter"
    assert any(row["owner_kind"] == "user" and row["owner_name"] for row in rows)


def test_csv_has_crlf_to_the_end_of_the_pipe(good: str) -> None:
    done = subprocess.run(
        [*EXPORTER, "report", good, "--format=csv"],
        env=os.environ | ENVIRON,
        cwd=ROOT,
        capture_output=True,
        timeout=TIMEOUT,
        check=True,
    )
    assert done.stdout.endswith(b"\r\n")
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert len(rows) == 150
    assert len({row["api_key_id"] for row in rows}) == 150


def test_the_table_has_80_columns_and_no_colour(good: str) -> None:
    done = report(good)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["API", "KEY", "OWNER", "RESOURCE", "AGE", "FINDINGS"]
    assert lines[-1].startswith("150 keys, ")
    assert max(map(len, lines)) <= 80
    assert done.stdout.replace("\n", "").isprintable()


def test_flags_may_be_repeated_or_take_lists(good: str) -> None:
    whole = json.loads(report(good, "--format=json").stdout)
    listed = report(good, "--format=json", "--policy=max_age,undescribed").stdout
    repeated = report(good, "--format=json", "--policy=max_age", "--policy=undescribed").stdout
    assert listed == repeated
    assert json.loads(listed) == [
        row for row in whole if {"max_age", "undescribed"} & {*row["policies"]}
    ]
    narrow = json.loads(
        report(
            good, "--format=json", "--owner=sa-*", "--resource=lkc-*,cloud", "--min-age=1y"
        ).stdout
    )
    assert narrow == [
        row
        for row in whole
        if row["owner_id"].startswith("sa-")
        and any(each["id"].startswith(("lkc-", "cloud")) for each in row["resources"])
        and row["age_days"] >= 365
    ]
    assert 0 < len(narrow) < len(whole)
    young = json.loads(report(good, "--format=json", "--max-age=7d").stdout)
    assert young == [row for row in whole if row["age_days"] < 7]
    (place,) = {each["environment_id"] for each in narrow[0]["resources"]}
    there = json.loads(report(good, "--format=json", f"--environment={place}").stdout)
    assert there == [
        row for row in whole if place in {each["environment_id"] for each in row["resources"]}
    ]


def test_fail_on_counts_the_filtered_keys_whatever_policy_shows(good: str) -> None:
    done = report(good, "--format=json", "--fail-on=max_age", "--policy=expired")
    keys = sum(
        "max_age" in row["policies"] for row in json.loads(report(good, "--format=json").stdout)
    )
    assert done.returncode == 1
    assert all("expired" in row["policies"] for row in json.loads(done.stdout))
    assert f"keys={keys} policies=max_age" in done.stderr
    done = report(good, OWN, "--fail-on=max_age,expired", "--policy=max_age")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 keys, 0 owners; 0 with findings\n"


def test_fail_on_a_disabled_policy_logs_a_warning(good: str) -> None:
    done = report(good, OWN, "--fail-on=user_owned")
    assert done.returncode == 0
    assert "policies are disabled in the configuration" in done.stderr
    assert "policies=user_owned" in done.stderr


def test_a_failed_organization_is_logged_and_the_others_are_reported(mixed: str) -> None:
    done = report(mixed, "--format=json", OWN)
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)
    assert (row["organization"], row["owner_name"]) == ("acme", None)
    failed, unevaluated = done.stderr.splitlines()
    assert 'msg="organization is missing from the report" organization=poor' in failed
    assert "OrganizationAdmin" in failed
    assert "request_id=" in failed
    assert 'msg="a policy cannot be evaluated" organization=acme' in unevaluated
    assert "policies=unknown_owner" in unevaluated
    assert ENVIRON["POOR_SECRET"] not in done.stderr


def test_fail_on_a_policy_that_cannot_be_evaluated_fails(mixed: str) -> None:
    assert (
        "cannot be evaluated"
        in report(mixed, "--fail-on=unknown_owner", "--log.level=error").stderr
    )


def test_filters_that_match_no_key_are_a_message(good: str) -> None:
    nobody = (good, "--format=json", "--owner=doesnotexist")
    said = "confluent-api-keys-exporter: no key matches the filters\n"
    done = report(*nobody)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", said)
    done = report(*nobody, "--fail-on-empty")
    assert (done.returncode, done.stdout, done.stderr) == (1, "[]\n", said)
    # That no key violates a policy is no reason to fail.
    done = report(good, OWN, "--policy=expired", "--fail-on-empty")
    assert (done.returncode, done.stderr) == (0, "")


def test_one_organization_is_asked_and_written_to_a_file(mixed: str, tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    arguments = (mixed, OWN, "--organization=a*", f"--output={target}", "--log.level=error")
    done = report(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_text().splitlines()[-1] == "1 key, 1 owner; 0 with findings"


def test_an_organization_that_does_not_exist(mixed: str) -> None:
    done = report(mixed, "--organization=acme,globex")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "confluent-api-keys-exporter: --organization: 'globex' matches no organization in the"
        " configuration. Expected one of poor, acme\n"
    )


def test_a_bad_configuration_is_exit_code_1(tmp_path: Path) -> None:
    done = report(f"--config.file={tmp_path / 'missing.yaml'}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such file" in done.stderr


def on_a_terminal(*arguments: str, output: Path | None = None, **environ: str) -> str:
    """Return what a terminal shows; standard output goes there, or to ``output``."""
    terminal, ours = pty.openpty()
    with (
        (Path("/dev/null") if output is None else output).open("wb") as file,
        subprocess.Popen(
            [*EXPORTER, "report", *arguments],
            env=environment_of_a_terminal(columns=100) | ENVIRON | environ,
            cwd=ROOT,
            stdout=ours if output is None else file,
            stderr=ours,
        ) as process,
    ):
        os.close(ours)
        shown = b""
        with contextlib.suppress(OSError):  # it says so when nobody has it open any more
            while part := os.read(terminal, 65_536):
                shown += part
        os.close(terminal)
        assert process.wait(TIMEOUT) == 0
    return shown.decode()


def test_progress_is_on_a_terminal_and_only_there(good: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shown = on_a_terminal(good, "--format=json", output=output)
    assert len(json.loads(output.read_text())) == 150
    assert "acme" in shown
    assert "150 keys" in shown


def test_colour_is_for_terminals_without_no_color(good: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert "\x1b[33mmax_age" in on_a_terminal(good)
    assert "\x1b[33mmax_age" not in on_a_terminal(good, NO_COLOR="1")
    on_a_terminal(good, output=output)
    assert "\x1b" not in output.read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_report_that_waits(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path, log = tmp_path / "config.yaml", tmp_path / "log"
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        path.write_text(f"organizations: [{{name: acme, url: {url}}}]\n")
        command = (*EXPORTER, "report", f"--config.file={path}")
        with started(*command, log=log, environ=ENVIRON) as process:
            connection, _ = silent.accept()
            with connection:
                ended = stop(process, number)
    assert ended[0] == code
    assert ended[1] < 2
    assert "Traceback" not in log.read_text()
