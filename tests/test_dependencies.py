"""Dependency bounds are tested versions, and images and lock files are pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_lower_bounds_are_the_lowest_tested_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements/lowest.txt").read_text()
    tested = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))
    for dependency in project["dependencies"]:
        name, bound = dependency.partition(",")[0].split(">=")
        assert _padded(tested[name.lower()]) == _padded(bound), name


def _padded(version: str) -> list[int]:
    """Return ``version`` as three numbers; 0.28 becomes 0.28.0."""
    numbers = [int(each) for each in version.split(".")]
    return numbers + [0] * (3 - len(numbers))


def test_the_base_images_are_pinned_by_digest() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^ARG PYTHON_IMAGE=(.*)$", dockerfile, re.MULTILINE) == re.findall(
        r"python:3\.\d+\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", dockerfile
    )
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_the_image_and_the_release_build_with_the_same_locked_backend() -> None:
    build_system = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    (backend, bound) = build_system["requires"][0].split(">=")
    assert build_system["build-backend"].partition(".")[0] == backend
    locked = {
        re.findall(rf"^{backend}==([\d.]+)", (ROOT / lock).read_text(), re.MULTILINE)[0]
        for lock in ("requirements/build.txt", "requirements/dev.txt")
    }
    assert len(locked) == 1
    assert _padded(locked.pop()) >= _padded(bound)


def test_lock_files_have_hashes_and_no_index_addresses() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text()
        pins = re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE)
        assert pins, lock
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text


@pytest.mark.parametrize(
    ("name", "safe"),
    [("h11", [0, 16, 0]), ("starlette", [1, 3, 1])],  # CVE-2025-43859; CVE-2026-48710, -54283
)
def test_versions_with_known_vulnerabilities_are_excluded(name: str, safe: list[int]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bound,) = re.findall(rf"^{name}>=([\d.]+)", "\n".join(project["dependencies"]), re.MULTILINE)
    assert _padded(bound) >= safe
