"""The software bill of materials: the locked packages that the exporter needs to run."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from exporter.version import PROJECT_URL
from release.commands import ReleaseError
from release.source import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from release.source import Source

_PIN = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)
_PYTHONS = ("3.11", "3.14")
"""The oldest and the newest one that pyproject.toml names."""


def build_sbom(source: Source, output: Path) -> list[Path]:
    """Write the CycloneDX document of ``requirements/runtime.txt``; return its path.

    Licences and dependencies are those of the installed packages.

    Raises:
        ReleaseError: The installed packages are not the locked ones.

    """
    lock = (source.folder / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    installed = {name: _installed(name, version) for name, version in _PIN.findall(lock)}
    components = {name: _component(name, found) for name, found in installed.items()}
    project = Component(
        name=NAME,
        version=source.version,
        type=ComponentType.APPLICATION,
        bom_ref=NAME,
        purl=PackageURL("pypi", None, NAME, source.version),
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        external_references=[
            ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(PROJECT_URL))
        ],
    )
    bom = Bom(
        # The same for the same version, because a random one would differ in every build.
        serial_number=uuid5(NAMESPACE_URL, f"{PROJECT_URL}/{NAME}/{source.version}"),
        metadata=BomMetaData(component=project, timestamp=datetime.fromtimestamp(source.time, UTC)),
        components=components.values(),
    )
    pyproject = tomllib.loads((source.folder / "pyproject.toml").read_text(encoding="utf-8"))
    direct = _names(pyproject["project"]["dependencies"])
    bom.register_dependency(project, [components[name] for name in sorted(direct)])
    for name, found in installed.items():
        needed = _names(found.requires or ()) & components.keys()
        bom.register_dependency(components[name], [components[each] for each in sorted(needed)])
    path = output / f"{NAME}-{source.version}.cdx.json"
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")
    return [path]


def _installed(name: str, version: str) -> Distribution:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        found = None
    if found is None or found.version != version:
        raise ReleaseError(
            f"{name} is {found.version if found else 'not installed'} in this environment, and "
            f"{version} in requirements/runtime.txt. Install requirements/dev.txt."
        )
    return found


def _component(name: str, found: Distribution) -> Component:
    return Component(
        name=name,
        version=found.version,
        type=ComponentType.LIBRARY,
        bom_ref=name,
        description=found.metadata["Summary"],
        purl=PackageURL("pypi", None, name, found.version),
        licenses=[LicenseFactory().make_from_string(_license(found))],
    )


def _license(found: Distribution) -> str:
    """Return the SPDX expression of a package, or the name of its licence."""
    classifiers = found.metadata.get_all("Classifier") or []
    names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    name = " ".join(names).removesuffix(" License")
    return found.metadata["License-Expression"] or found.metadata["License"] or name


def _names(requirements: Iterable[str]) -> set[str]:
    """Return the names of the packages, without those for extras and for unsupported Pythons."""
    return {
        canonicalize_name(each.name)
        for each in map(Requirement, requirements)
        if each.marker is None
        or any(
            each.marker.evaluate({"extra": "", "python_version": version}) for version in _PYTHONS
        )
    }
