"""Build a release: ``python -m release``."""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from release.chart import build_chart
from release.checksums import CHECKSUMS, digest, read_checksums, remove_release, write_checksums
from release.commands import ReleaseError, find_program, run
from release.distributions import build_distributions
from release.image import build_image
from release.sbom import build_sbom
from release.source import export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from release.source import Source

ROOT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and with ``--check`` build again; return the exit code."""
    flags = _flags().parse_args(arguments)
    try:
        missing = _missing(flags)
        _build(flags, [*flags.without, *missing])
        for part, program in missing.items():
            print(
                f"release: the {part} was left out, because {program} is not installed. "
                f"Install it, or use --without={part}.",
                file=sys.stderr,
            )
        if flags.check:
            _check(flags, [*flags.without, *missing])
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 1 if missing else 0


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m release",
        description="Build wheel, source distribution, SBOM, chart, image and checksums.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--output", metavar="FOLDER", type=Path, default=ROOT / "dist", help="default: dist")
    add(
        "--without",
        metavar="PART",
        action="append",
        default=[],
        choices=("chart", "image"),
        help="leave out the chart or the image",
    )
    add(
        "--check",
        action="store_true",
        help="build everything twice, and fail if a byte differs",
    )
    add(
        "--dirty",
        action="store_true",
        help="accept uncommitted changes, for a trial; untracked files are left out",
    )
    add(
        "--build-arg",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="for the image, for example PYTHON_IMAGE=IMAGE",
    )
    return parser


def _missing(flags: argparse.Namespace) -> dict[str, str]:
    """Return the parts that cannot be built, each with the program that is missing."""
    programs = {"chart": "helm", "image": "buildah"}
    return {
        part: program
        for part, program in programs.items()
        if part not in flags.without and find_program(program) is None
    }


def _build(flags: argparse.Namespace, without: Sequence[str]) -> None:
    """Build into a temporary folder first, so that a failure leaves no incomplete release."""
    output: Path = flags.output
    remove_release(output)
    with TemporaryDirectory(prefix="release-") as name:
        source = export(ROOT, Path(name, "source"), dirty=flags.dirty)
        built = Path(name, "built")
        built.mkdir()
        files = []
        for file in _artefacts(source, built, flags, without):
            files.append(file)
            _announce(file)
        _announce(write_checksums(files, built))
        output.mkdir(parents=True, exist_ok=True)
        for file in built.iterdir():
            shutil.move(file, output / file.name)


def _artefacts(
    source: Source, built: Path, flags: argparse.Namespace, without: Sequence[str]
) -> Iterator[Path]:
    parts: dict[str, Callable[[Source, Path], list[Path]]] = {
        "distributions": build_distributions,
        "sbom": build_sbom,
        "chart": build_chart,
        "image": functools.partial(build_image, build_args=flags.build_arg),
    }
    for name, build in parts.items():
        if name not in without:
            yield from build(source, built)


def _announce(file: Path) -> None:
    print(f"{digest(file)}  {file.stat().st_size:>11,}  {file.name}", flush=True)


def _check(flags: argparse.Namespace, without: Sequence[str]) -> None:
    """Build again in another process, folder, time zone and umask; compare all bytes."""
    print("Building again in another folder, time zone and umask.", flush=True)
    again = Path(mkdtemp(prefix="release-again-"))
    run(
        [
            *(sys.executable, "-m", "release", f"--output={again}"),
            *(f"--without={part}" for part in without),
            *(f"--build-arg={each}" for each in flags.build_arg),
            *(["--dirty"] if flags.dirty else []),
        ],
        folder=ROOT,
        environ={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        umask=0o077,
    )
    first, second = read_checksums(flags.output), read_checksums(again)
    if differing := sorted(n for n in first | second if first.get(n) != second.get(n)):
        raise ReleaseError(
            f"not reproducible: {', '.join(differing)}. Compare {flags.output} with {again}."
        )
    shutil.rmtree(again)
    print(f"Built twice with the same {CHECKSUMS}.")


if __name__ == "__main__":
    sys.exit(main())
